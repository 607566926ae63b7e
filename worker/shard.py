"""The life of a shard on a worker: claim, run, stage, commit, publish.

Whatever happens in between, the shard ends in a state that somebody goes on from: committed,
handed back, to be retried, or somebody else's. The result part is staged under this attempt's
own key and becomes the result by one compare-and-set; until then nobody reads it.
"""

import hashlib
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import structlog
from sqlalchemy import select
from sqlalchemy.orm import Session

from core.errors import BlockedError, FatalError, RegattaError, StaleError
from core.items import ItemRef
from core.layout import results_part, staged_results_part
from core.profile import EngineOffer
from core.retry import Failure
from core.states import ItemState, JobMoves
from core.work import CommittedPart, Counts, Directive, Hold, WorkUnit
from store import leases, rates
from store.database import Database
from store.jobs import lock_job
from store.jobs import stop as stop_job
from store.locations import open_store
from store.manifests import decode_items
from store.parts import ResultRow, count_states, encode_rows, merge_rows, unsucceeded
from store.tables import Shard
from worker.lease_keeper import LeaseKeeper
from worker.pipeline.pipeline import Pipeline
from worker.pipeline.source import as_it_is_now
from worker.run import ShardRun, StoppedError
from worker.suspects import run_alone
from worker.ways.chooser import COMPARE, WayChooser

_log = structlog.get_logger()

_MARGIN = 1 / 6  # of the lease: who could not renew stops so long before its end


@dataclass(frozen=True, slots=True)
class ShardRunner:
    """Runs claimed shards; shared by the task threads of a worker."""

    db: Database
    pipeline: Pipeline
    chooser: WayChooser
    keeper: LeaseKeeper
    worker_id: str
    offers: tuple[EngineOffer, ...]
    lease_seconds: float
    stall_seconds: float
    max_tries: int
    draining: Callable[[], bool]

    def run(self, hold: Hold) -> str:
        """Run the shard that a message names, if it is still to be had; say how it ended."""
        run = self.db.write(lambda s: self._claim(s, hold))
        if isinstance(run, leases.Refusal):
            return run.value
        with structlog.contextvars.bound_contextvars(job=run.unit.job, shard=hold.shard):
            if not self.keeper.hold(run):
                _log.info("message came twice")
                return "held"
            # Asked only now: a drain hands back what it finds held, or is seen here.
            if self.draining():
                run.stop(Directive.HAND_BACK)
            try:
                return self._end(run, self._result(run))
            finally:
                self.keeper.let_go(run)

    def _claim(self, session: Session, hold: Hold) -> ShardRun | leases.Refusal:
        unit = leases.claim(
            session,
            hold,
            worker_id=self.worker_id,
            offers=self.offers,
            now=self.db.now(session),
            lease_seconds=self.lease_seconds,
        )
        if isinstance(unit, leases.Refusal):
            return unit
        # Made here, as its clock has to start with the lease and not after the commit.
        margin = self.lease_seconds * _MARGIN
        return ShardRun(unit, lease_seconds=self.lease_seconds, margin=margin)

    def _result(self, run: ShardRun) -> CommittedPart | RegattaError:
        """Run the shard's items and stage their part; a failure is returned, not raised."""
        begun = time.monotonic()
        _log.info("shard started", seq=run.unit.seq, attempt=run.unit.hold.attempt)
        try:
            run.check()
            part = self._part(run)
            run.check()
            key = staged_results_part(run.unit.seq, run.unit.hold.attempt)
            open_store(run.unit.output).put(key, part, durable=True)
            run.check()
        except RegattaError as error:
            return error
        except Exception as error:
            _log.exception("unexpected")
            return RegattaError(f"unexpected: {type(error).__name__}: {error}")
        timings = {**run.seconds, "total": round(time.monotonic() - begun, 3)}
        if run.halved_to is not None:
            timings["halved_to_batch"] = run.halved_to
        digest = hashlib.sha256(part).hexdigest()
        return CommittedPart(digest, len(part), _counts(part), timings)

    def _part(self, run: ShardRun) -> bytes:
        """Return the shard's part; a retry runs only what did not succeed before."""
        unit, output = run.unit, open_store(run.unit.output)
        items = decode_items(output.get(unit.items_key), unit.start, unit.stop)
        if unit.previous_part is None:
            return encode_rows(self._rows(run, items))
        before = output.get(unit.previous_part)
        failed = unsucceeded(before)
        again = [as_it_is_now(item, unit.source) for item in items if item.index in failed]
        return merge_rows(before, self._rows(run, again))

    def _rows(self, run: ShardRun, items: Sequence[ItemRef]) -> list[ResultRow]:
        run.fix_ways(self.chooser.choose(run, items))
        if run.unit.suspect:
            return run_alone(run, items, self.db, stall_seconds=self.stall_seconds)
        model = self.pipeline.models.acquire(run.unit.model, run.unit.profile, run.unit.ways)
        try:
            return self.pipeline.rows(run, items, model)
        finally:
            run.halved_to = model.halved_to
            self.pipeline.models.release(model)

    def _end(self, run: ShardRun, result: CommittedPart | RegattaError) -> str:
        hold = run.unit.hold
        if isinstance(result, CommittedPart):
            return self._commit(run.unit, result)
        if isinstance(result, StoppedError):
            return self._stop(hold, result.directive)
        if isinstance(result, StaleError):
            _log.warning("shard lost", error=str(result))
            return "stale"
        if isinstance(result, FatalError):
            return self._fail_job(run.unit, result)
        blocked = isinstance(result, BlockedError)
        text = f"{result} ({result.hint})" if blocked and result.hint else str(result)
        _log.warning("shard blocked" if blocked else "shard failed", error=text)
        self.db.write(
            lambda s: leases.fail(
                s,
                hold,
                Failure.BLOCKED if blocked else Failure.RETRYABLE,
                text,
                now=self.db.now(s),
                max_tries=self.max_tries,
            )
        )
        return "failed"

    def _commit(self, unit: WorkUnit, part: CommittedPart) -> str:
        now = self.db.read(self.db.now)
        if not self.db.write(lambda s: leases.commit(s, unit.hold, part, now=now)):
            _log.warning("shard lost", error="somebody else had it before it was committed")
            return "stale"
        _log.info("shard committed", **part.timings)
        self._note_rate(unit, part, now)
        # From here on a failure is nobody's loss: `settle` publishes what is committed.
        staged = staged_results_part(unit.seq, unit.hold.attempt)
        open_store(unit.output).copy(staged, results_part(unit.seq))
        self.db.write(lambda s: leases.published(s, unit.hold))
        return "done"

    def _note_rate(self, unit: WorkUnit, part: CommittedPart, now: float) -> None:
        # What comes once for a model says nothing about the next shard.
        seconds = part.timings["total"] - part.timings.get(COMPARE, 0.0)
        if unit.suspect or unit.previous_part is not None or seconds <= 0:
            return
        rate = (unit.stop - unit.start) / seconds
        self.db.write(
            lambda s: rates.note_rate(s, unit.model.digest, unit.profile.key, rate, now=now)
        )

    def _stop(self, hold: Hold, directive: Directive) -> str:
        if directive is Directive.HAND_BACK:
            self.db.write(lambda s: leases.hand_back(s, hold, now=self.db.now(s)))
        elif directive is Directive.CANCEL:
            self.db.write(lambda s: leases.cancel(s, hold, now=self.db.now(s)))
        _log.info("shard stopped", directive=directive.value)
        return directive.value

    def _fail_job(self, unit: WorkUnit, error: FatalError) -> str:
        text = f"{error} ({error.hint})" if error.hint else str(error)
        _log.error("job failed", error=text)

        def fail(session: Session) -> bool:
            now = self.db.now(session)
            lock_job(session, unit.job)
            held = session.scalar(select(Shard.id).where(leases.held(unit.hold))) is not None
            if held:  # who was overtaken has no say in a job that may have been retried since
                stop_job(session, unit.job, JobMoves.FAIL, now=now, error=text)
                leases.cancel(session, unit.hold, now=now)
            return held

        return "fatal" if self.db.write(fail) else "stale"


def _counts(part: bytes) -> Counts:
    states = count_states(part)
    return Counts(
        succeeded=states[ItemState.SUCCEEDED],
        skipped=states[ItemState.SKIPPED],
        quarantined=states[ItemState.QUARANTINED],
    )
