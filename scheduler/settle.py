"""The settler: publishes what was committed, buries what failed, and ends jobs.

Every step may be repeated: copies write the same bytes, and moves compare first.
"""

import hashlib
import time
from collections.abc import Callable, Sequence
from typing import TypeVar

import structlog
from sqlalchemy.orm import Session

from core.errors import BadInputError, FatalError, RegattaError, text_of
from core.layout import ATTEMPTS, CARRIED, ITEMS, MANIFEST, results_part
from core.options import ModelRef
from core.repeats import Repeats
from core.states import JobMoves, JobState, Move, ShardState
from core.work import Hold
from scheduler.manifest import write_manifest
from scheduler.troubles import Troubles
from store import leases, settling
from store.artefacts import artefacts_of, part_of
from store.carried import carried_manifests
from store.database import Database
from store.jobs import Tally, forget_troubles, get_job, lock_job, note_trouble, tally, why_newer
from store.jobs import stop as stop_job
from store.locations import open_store
from store.manifests import decode_items
from store.objects import ObjectStore
from store.own_objects import own_object, unread
from store.parts import ResultRow, encode_rows, merge_rows, unsucceeded
from store.tables import Job, Shard

_GRACE_SECONDS = 5.0  # workers publish their own parts; older ones were left behind

_PATIENCE_SECONDS = 30.0  # with the output of a job that is being called off

T = TypeVar("T", Shard, Job)

_log = structlog.get_logger()


class Settler:
    """Brings shards and jobs to their end (`tick`). Any number may run at once.

    A job whose output cannot be used for the moment is left alone for a while, and waits. If it is
    being called off, it waits for `patience` seconds only, and then ends with what there is.
    `monotonic` is the clock for both.
    """

    def __init__(
        self,
        db: Database,
        *,
        grace_seconds: float = _GRACE_SECONDS,
        patience: float = _PATIENCE_SECONDS,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._db = db
        self._grace_seconds = grace_seconds
        self._patience = patience
        self._troubles = Troubles(monotonic)
        self._repeats = Repeats(monotonic)
        self._hopeless: dict[str, str] = {}  # jobs being called off that can write no manifest, why
        self._is_new = True
        self._left: set[str] = set()  # jobs that only a newer version can read

    def tick(self) -> int:
        """Settle what can be settled; return how many jobs ended."""
        if self._is_new:
            self._db.write(forget_troubles)
            self._is_new = False
        rest = self._troubles.resting()
        for shard in self._db.read(
            lambda s: settling.unpublished(
                s, before=self._db.now(s) - self._grace_seconds, without=rest
            )
        ):
            self._alone(self._publish, shard)
        for shard in self._db.read(lambda s: settling.without_tombstone(s, without=rest)):
            self._alone(self._bury, shard)
        if self._db.read(settling.has_waiting):
            self._db.write(settling.unblock)
        for job_id in self._db.read(settling.stopping_with_unstarted):
            self._call_off(job_id)
        hopeless = self._give_up()
        rest = self._troubles.resting() - hopeless
        return sum(
            self._alone(self._end, job)
            for job in self._db.read(lambda s: settling.at_their_end(s, without=rest))
        )

    def _give_up(self) -> set[str]:
        """Let go what jobs that are being called off cannot publish; return those jobs."""
        stopping = self._db.read(settling.stopping)
        ids = {job.id for job in stopping}
        self._hopeless = {job: why for job, why in self._hopeless.items() if job in ids}
        for job in stopping:
            error = self._troubles.error(job.id)
            if error is not None and self._troubles.seconds(job.id) >= self._patience:
                self._hopeless.setdefault(job.id, error)
        for job_id in self._hopeless:
            self._let_go(job_id)
        return set(self._hopeless)

    def _let_go(self, job_id: str) -> None:
        def lose(session: Session) -> int:
            lock_job(session, job_id)
            unsettled = settling.unsettled(session, job_id)
            now = self._db.now(session)
            return settling.lose(session, unsettled, now=now, error=self._hopeless[job_id])

        self._db.write(lose)

    def _alone(self, step: Callable[[T], bool], thing: T) -> bool:
        """Take one step; if a job's output cannot be used, or is odd, the others go on."""
        job_id = thing.job_id if isinstance(thing, Shard) else thing.id
        if job_id in self._troubles.resting() and job_id not in self._hopeless:
            return False
        try:
            done = step(thing)
        except (BadInputError, FatalError) as error:
            self._condemn(thing, job_id, text_of(error))
        except RegattaError as error:
            self._wait(job_id, text_of(error))
            if (times := self._repeats.due(job_id, type(error).__name__)) is not None:
                _log.warning("cannot settle yet", job=job_id, error=text_of(error), times=times)
        except Exception as error:
            if (times := self._repeats.due(job_id, type(error).__name__)) is not None:
                _log.exception("unexpected; will try again", job=job_id, times=times)
            self._wait(job_id, f"unexpected: {error!r}")
        else:
            if self._troubles.mended(job_id):
                self._db.write(lambda s: note_trouble(s, job_id, None))
            return done
        return False

    def _wait(self, job_id: str, why: str) -> None:
        self._troubles.note(job_id, why)
        self._db.write(lambda s: note_trouble(s, job_id, why))

    def _condemn(self, thing: Shard | Job, job_id: str, why: str) -> None:
        """Fail a job: what a step needs is gone, and waiting will not bring it back."""
        if isinstance(thing, Shard):
            self._fail(job_id, why, [Hold(thing.id, thing.attempt)])
        else:
            self._hopeless[job_id] = why
            self._fail(job_id, f"its output {thing.output} cannot be written: {why}")

    def _fail(self, job_id: str, why: str, lost: Sequence[Hold] = ()) -> None:
        def fail(session: Session) -> bool:
            now = self._db.now(session)
            lock_job(session, job_id)
            settling.lose(session, lost, now=now, error=why)
            return stop_job(session, job_id, JobMoves.FAIL, now=now, error=why)

        if self._db.write(fail):
            _log.error("job failed", job=job_id, error=why)

    def _call_off(self, job_id: str) -> None:
        self._db.write(lambda s: settling.call_off_unstarted(s, job_id, now=self._db.now(s)))

    def _output(self, shard: Shard) -> tuple[Job, ObjectStore]:
        job = self._db.read(lambda s: get_job(s, shard.job_id))
        return job, open_store(job.output)

    def _publish(self, shard: Shard) -> bool:
        job, output = self._output(shard)
        hold = Hold(shard.id, shard.attempt)
        for artefact in artefacts_of(shard):
            try:
                output.copy(artefact.staged, artefact.key)
            except BadInputError as error:
                # Its worker may have published it, and somebody else swept up.
                if error.reason != "source_missing" or not output.exists(artefact.key):
                    raise unread(job.id, job.output, artefact.staged, error) from error
        _log.info("published", job=shard.job_id, shard=shard.id)
        return self._db.write(lambda s: leases.published(s, hold))

    def _bury(self, shard: Shard) -> bool:
        """Write a row for every item that a failed shard leaves behind: none may vanish."""
        job, output = self._output(shard)
        if (why := why_newer(job)) is not None:
            if job.id not in self._left:
                _log.warning("left to a newer scheduler", job=job.id, why=why)
                self._left.add(job.id)
            return False
        listed = own_object(job.id, job.output, shard.items_key)
        items = decode_items(listed, shard.start, shard.stop)
        model = ModelRef.from_json(job.model)
        reason = f"shard_failed: {shard.error}"
        rows = [
            ResultRow.quarantined(item, task=one.task, model=one.name, reason=reason)
            for item in items
            for one in model.members
        ]
        key = results_part(part_of(shard))
        if shard.part_digest is None:
            part = encode_rows(rows if shard.part_attempt is None else [])
        else:  # a failed retry: what succeeded before stands
            before = own_object(job.id, job.output, key)
            redone = unsucceeded(before)
            if shard.again is not None:
                redone &= set(shard.again)
            part = merge_rows(before, [row for row in rows if row.item.index in redone])
        output.put(key, part, durable=True)
        digest = hashlib.sha256(part).hexdigest()
        hold = Hold(shard.id, shard.attempt)
        _log.error("shard failed", job=shard.job_id, shard=shard.id, reason=shard.error)
        return self._db.write(lambda s: settling.bury(s, hold, digest=digest, size=len(part)))

    def _end(self, job: Job) -> bool:
        """Write the final manifest and end the job, unless it was retried meanwhile."""
        counts = self._db.read(lambda s: tally(s, [job]))[job.id]
        move = _last_move(job.state, counts)
        now = self._db.read(self._db.now)
        error = job.error if move.target in {JobState.FAILED, JobState.CANCELLED} else None
        if job.id in self._hopeless and job.state is not JobState.RUNNING:
            unwritten = f"{MANIFEST} could not be written: {self._hopeless[job.id]}"
            return self._ended(job, move, now, unwritten if error is None else error)
        shards = self._db.read(lambda s: settling.results_of(s, job.id))
        output = open_store(job.output)
        if missing := _missing(output, shards):
            self._lose(job, missing, len(shards))
            return False
        write_manifest(self._db, job, move.target, finished=now, error=error)
        self._sweep(job, output)
        return self._ended(job, move, now, error)

    def _ended(self, job: Job, move: Move[JobState], now: float, error: str | None) -> bool:
        ended = self._db.write(lambda s: settling.end(s, job, move, now=now, error=error))
        if ended:
            _log.info("job ended", job=job.id, state=move.target.value, error=error)
        return ended

    def _lose(self, job: Job, missing: Sequence[Shard], of: int) -> None:
        """Fail a job at its end: published parts are gone, and their items would have no rows."""
        first = results_part(part_of(missing[0]))
        why = (
            f"{len(missing)} of {of} result parts are gone from {job.output}, such as {first} "
            f"(`regatta retry {job.id}` runs their items again)"
        )
        if self._db.read(lambda s: settling.stands(s, job)):
            self._fail(job.id, why, [Hold(shard.id, shard.attempt) for shard in missing])

    def _sweep(self, job: Job, output: ObjectStore) -> None:
        """Remove staged parts, and what overtaken planners wrote.

        Another settler may have ended the job meanwhile, and a retry may be under way. What existed
        before the job ended belongs to nobody; what came later belongs to the retry.
        """
        found = [info.key for prefix in (ATTEMPTS, ITEMS, CARRIED) for info in output.list(prefix)]
        committed, stands = self._db.read(
            lambda s: (settling.items_keys(s, job.id), settling.stands(s, job))
        )
        committed |= {key for _, key in carried_manifests(self._db, job)}
        made = self._db.read(lambda s: settling.results_of(s, job.id))
        committed |= {one.key for shard in made for one in artefacts_of(shard)}
        if not stands:
            return
        for key in found:
            if key not in committed:
                output.delete(key)


def _missing(output: ObjectStore, shards: Sequence[Shard]) -> list[Shard]:
    """Return the shards of whose published artefacts one is missing, or has another size."""
    published = {shard.id: artefacts_of(shard) for shard in shards}
    folders = {one.key.partition("/")[0] for made in published.values() for one in made}
    there: dict[str, int] = {}
    try:
        for folder in sorted(folders):
            there |= {info.key: info.size for info in output.list(f"{folder}/")}
    except BadInputError as error:
        if error.reason != "source_missing":  # the whole output is gone
            raise
    return [
        shard
        for shard in shards
        if any(
            there.get(one.key) != one.size and _size(output, one.key) != one.size
            for one in published[shard.id]
        )
    ]


def _size(output: ObjectStore, key: str) -> int | None:
    """Return the size of an object, None if it is not there: some stores' listings lag behind."""
    try:
        return output.head(key).size
    except BadInputError as error:
        if error.reason != "source_missing":
            raise
        return None


def _last_move(state: JobState, counts: Tally) -> Move[JobState]:
    if state is JobState.CANCELLING:
        return JobMoves.END_CANCELLED
    if state is JobState.FAILING:
        return JobMoves.END_FAILED
    # A shard whose items don't count may also have failed; a retry has to be able to run it.
    is_whole = not counts.quarantined and not counts.shards.get(ShardState.FAILED)
    return JobMoves.SUCCEED if is_whole else JobMoves.END_PARTIAL
