"""The guard: pauses jobs that quarantine more than they may."""

import time
from collections import Counter
from collections.abc import Callable
from itertools import islice

import structlog

from core.errors import NewerError, RegattaError
from core.kinds import ShardKind
from core.options import JobOptions
from core.states import LIVE_JOBS, JobState
from core.tolerance import USUAL, Tolerance
from store.committed import own_quarantined_rows
from store.database import Database
from store.jobs import Tally, list_jobs, pause, tally
from store.tables import Job

_LOOK_SECONDS = 2.0
_MOST_ROWS = 2_000  # of which the most frequent reason is told

_log = structlog.get_logger()


class Guard:
    """Looks at the counts of live jobs every few seconds (`tick`); any number may run at once.

    A job of which nothing is left to do is not paused: it ends. A redrawing is not judged either:
    its rows are those of the job that it draws, the quarantined ones, too. `monotonic` is the
    clock.
    """

    def __init__(self, db: Database, *, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._db = db
        self._monotonic = monotonic
        self._next = float("-inf")

    def tick(self) -> int:
        """Pause what has to be paused; return how many jobs."""
        now = self._monotonic()
        if now < self._next:
            return 0
        self._next = now + _LOOK_SECONDS
        jobs = self._db.read(lambda s: list_jobs(s, states=LIVE_JOBS))
        if not jobs:
            return 0
        counts = self._db.read(lambda s: tally(s, jobs))
        return sum(
            self._pause(job, counts[job.id]) for job in jobs if _is_over(job, counts[job.id])
        )

    def _pause(self, job: Job, counts: Tally) -> bool:
        ended = counts.listed - counts.pending
        why = (
            f"{counts.quarantined:,} of {ended:,} items ({counts.quarantined / ended:.1%}) were "
            f"quarantined{self._mostly(job)}; `regatta resume {job.id}` goes on, and its "
            "--max-quarantined sets another limit"
        )
        paused = self._db.write(lambda s: pause(s, job.id, now=self._db.now(s), why=why))
        if paused:
            _log.error("job paused", job=job.id, why=why)
        return paused

    def _mostly(self, job: Job) -> str:
        """Return the most frequent reason in words, as far as the rows can be read."""
        try:
            rows = list(islice(own_quarantined_rows(self._db, job), _MOST_ROWS))
        except RegattaError as error:
            _log.warning("reasons cannot be read", job=job.id, error=str(error))
            return ""
        codes = [str(row["reason"]).partition(":")[0] for row in rows]
        if not codes:
            return ""
        [(code, _)] = Counter(codes).most_common(1)
        row = rows[codes.index(code)]
        return f", most for {code}: {row['item']}, for example"


def _is_over(job: Job, counts: Tally) -> bool:
    if not counts.quarantined or job.kind == ShardKind.RENDER:
        return False
    if job.state is JobState.RUNNING and not counts.pending:
        return False
    try:
        said = job.max_quarantined or JobOptions.from_json(job.options).planning.max_quarantined
        tolerance = USUAL if said is None else Tolerance.parse(said)
    except (NewerError, ValueError):  # only a newer version can tell
        return False
    ended = counts.listed - counts.pending
    return tolerance.is_exceeded(ended=ended, quarantined=counts.quarantined)
