"""The life of a shard on a worker: claim, run, stage, commit, publish.

Whatever happens in between, the shard ends in a state that somebody can continue from: committed,
handed back, to be retried, or somebody else's. Its products are staged under this attempt's own
keys and become the result by one compare-and-set; until then nobody reads them. What happens
between claim and staging is up to the kind (`worker.kinds`).
"""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import structlog
from sqlalchemy import select
from sqlalchemy.orm import Session

from core.errors import (
    BlockedError,
    FatalError,
    RegattaError,
    RetryableError,
    StaleError,
    text_of,
)
from core.kinds import ShardKind
from core.profile import EngineOffer
from core.repeats import Repeats
from core.retry import Failure
from core.states import JobMoves
from core.work import Directive, Hold, ShardResult, WorkUnit
from store import leases
from store.database import Database
from store.file_errors import no_room
from store.jobs import lock_job
from store.jobs import stop as stop_job
from store.locations import open_store
from store.planning import NewShard
from store.tables import Shard
from worker.engines.protocol import LoadError, SickEngineError
from worker.health import DeviceHealth
from worker.kept_lines import KEPT
from worker.kinds.kind import KindRunner
from worker.lease_keeper import LeaseKeeper
from worker.run import ShardRun, StoppedError
from worker.staging import stage
from worker.steps import DEFAULT_PATIENCE, Patience

_log = structlog.get_logger()
_repeats = Repeats()

_MARGIN = 1 / 6  # of the lease: a run that couldn't renew stops this long before its end


@dataclass(frozen=True, slots=True)
class StagedRun:
    """A run that has finished: what it staged, and the children to plan with it."""

    result: ShardResult
    children: Mapping[int, NewShard]


@dataclass(frozen=True, slots=True)
class ShardRunner:
    """Runs claimed shards; shared by the task threads of a worker."""

    db: Database
    kinds: Mapping[ShardKind, KindRunner]
    keeper: LeaseKeeper
    worker_id: str
    offers: tuple[EngineOffer, ...]
    lease_seconds: float
    max_tries: int
    draining: Callable[[], bool]
    health: DeviceHealth
    patience: Patience = DEFAULT_PATIENCE

    def run(self, hold: Hold) -> str:
        """Run the shard that a message names, if it can still be claimed; return how it ended."""
        run = self.db.write(lambda s: self._claim(s, hold))
        if isinstance(run, leases.Refusal):
            return run.value
        with structlog.contextvars.bound_contextvars(job=run.unit.job, shard=hold.shard):
            if not self.keeper.hold(run):
                _log.info("message came twice")
                return "held"
            # Checked only now: a drain either finds the run held and hands it back, or is seen
            # here.
            if self.draining():
                run.stop(Directive.HAND_BACK)
            KEPT.begin(hold.shard)
            try:
                return self._end(run, self._result(run))
            except RetryableError:  # the database can't be told how it ended
                self.keeper.give_back(hold)
                raise
            finally:
                KEPT.end(hold.shard)
                self.keeper.let_go(run)

    def _claim(self, session: Session, hold: Hold) -> ShardRun | leases.Refusal:
        unit = leases.claim(
            session,
            hold,
            worker_id=self.worker_id,
            kinds=self.kinds,
            offers=self.offers,
            now=self.db.now(session),
            lease_seconds=self.lease_seconds,
        )
        if isinstance(unit, leases.Refusal):
            return unit
        # Created here, as its clock must start with the lease and not after the commit.
        margin = self.lease_seconds * _MARGIN
        return ShardRun(
            unit, lease_seconds=self.lease_seconds, margin=margin, patience=self.patience
        )

    def _result(self, run: ShardRun) -> StagedRun | RegattaError:
        """Run the shard and stage what it made; a failure is returned, not raised."""
        unit, begun = run.unit, time.monotonic()
        _log.info("shard started", kind=unit.kind.value, part=unit.part, attempt=unit.hold.attempt)
        try:
            run.check()
            outcome = self.kinds[unit.kind].run(run)
            run.check()
            artefacts = stage(unit, outcome.products)
            run.check()
        except RegattaError as error:
            return error
        except Exception as error:
            if isinstance(error, OSError) and (full := no_room("this machine", error)) is not None:
                return full
            _log.exception("unexpected")
            return RegattaError(f"unexpected: {type(error).__name__}: {error}")
        timings = {**run.seconds, "total": round(time.monotonic() - begun, 3)}
        if run.halved_to is not None:
            timings["halved_to_batch"] = run.halved_to
        return StagedRun(ShardResult(artefacts, outcome.counts, timings), outcome.children)

    def _end(self, run: ShardRun, result: StagedRun | RegattaError) -> str:
        hold = run.unit.hold
        if isinstance(result, StagedRun):
            return self._commit(run, result)
        if isinstance(result, StoppedError):
            return self._stop(hold, result.directive)
        if isinstance(result, StaleError):
            _log.warning("shard lost", error=str(result))
            if run.cut_off:  # through no fault of the shard's
                self.keeper.give_back(hold)
            return "stale"
        if isinstance(result, LoadError) and self.health.has_run(run.unit):
            digest = run.unit.model.digest
            result = SickEngineError(result.engine, digest, str(result), has_run=True)
        if isinstance(result, SickEngineError):
            return self._give_up_device(run.unit, result)
        if isinstance(result, FatalError):
            return self._fail_job(run.unit, result)
        blocked = isinstance(result, BlockedError)
        text = text_of(result) if blocked else str(result)
        if not blocked:
            _log.warning("shard failed", error=text)
        elif (times := _repeats.due(run.unit.job, "blocked")) is not None:
            _log.warning("shard blocked", error=text, times=times)
        lines = KEPT.of(hold.shard)
        self.db.write(
            lambda s: leases.fail(
                s,
                hold,
                Failure.BLOCKED if blocked else Failure.RETRYABLE,
                text,
                lines=lines,
                now=self.db.now(s),
                max_tries=self.max_tries,
            )
        )
        return "failed"

    def _commit(self, run: ShardRun, finished: StagedRun) -> str:
        hold, result = run.unit.hold, finished.result
        lines = KEPT.of(hold.shard)
        if not self.db.write(
            lambda s: leases.commit(
                s, hold, result, children=finished.children, lines=lines, now=self.db.now(s)
            )
        ):
            _log.warning("shard lost", error="somebody else had it before it was committed")
            return "stale"
        _log.info("shard committed", **result.timings)
        self.kinds[run.unit.kind].committed(run, result.timings["total"])
        if run.unit.frozen_profile is not None and result.counts.succeeded:
            self.health.note_success(offer.key for offer in run.unit.frozen_profile.offers)
        # From here on a failure does no harm: `settle` publishes what is committed.
        output = open_store(run.unit.output)
        for artefact in result.artefacts:
            output.copy(artefact.staged, artefact.key)
        self.db.write(lambda s: leases.published(s, hold))
        return "done"

    def _give_up_device(self, unit: WorkUnit, error: SickEngineError) -> str:
        """Give back a shard, as no item of it is to blame, and end this process.

        It comes back as a suspect: if one of its items does this to every engine, it is found.
        """
        unfit = self.health.note_failure(error, unit)
        if unfit is not None:
            return self._fail_job(unit, unfit)
        self.db.write(lambda s: leases.hand_back(s, unit.hold, now=self.db.now(s), suspect=True))
        return "sick"

    def _stop(self, hold: Hold, directive: Directive) -> str:
        if directive is Directive.HAND_BACK:
            self.db.write(lambda s: leases.hand_back(s, hold, now=self.db.now(s)))
        elif directive is Directive.CANCEL:
            self.db.write(lambda s: leases.cancel(s, hold, now=self.db.now(s)))
        _log.info("shard stopped", directive=directive.value)
        return directive.value

    def _fail_job(self, unit: WorkUnit, error: FatalError) -> str:
        text = text_of(error)
        _log.error("job failed", error=text)

        def fail(session: Session) -> bool:
            now = self.db.now(session)
            lock_job(session, unit.job)
            held = session.scalar(select(Shard.id).where(leases.held(unit.hold))) is not None
            if held:  # a run that was overtaken mustn't fail a job that may have been retried since
                stop_job(session, unit.job, JobMoves.FAIL, now=now, error=text)
                leases.cancel(session, unit.hold, now=now)
            return held

        return "fatal" if self.db.write(fail) else "stale"
