"""Keeps this process's leases: one write per tick renews them all and returns the directives."""

import threading
import time

import structlog
from sqlalchemy.orm import Session

from core.errors import RetryableError
from core.repeats import Repeats
from core.work import Directive, Hold
from store import leases, processes
from store.database import Database
from worker.run import ShardRun

_log = structlog.get_logger()


class LeaseKeeper:
    """Sends a worker's heartbeat and renews its leases (`tick`), in its own thread (`start`).

    A run without progress for `stall_seconds` is no longer renewed: somebody else gets its shard.
    """

    def __init__(
        self,
        db: Database,
        heartbeat: processes.Heartbeat,
        *,
        lease_seconds: float,
        heartbeat_seconds: float,
        stall_seconds: float,
    ) -> None:
        self._db = db
        self._heartbeat = heartbeat
        self._lease_seconds = lease_seconds
        self._heartbeat_seconds = heartbeat_seconds
        self._stall_seconds = stall_seconds
        self._runs: dict[Hold, ShardRun] = {}
        self._to_give_back: set[Hold] = set()
        self._lock = threading.Condition()
        self._repeats = Repeats()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._loop, name="lease-keeper", daemon=True)

    def start(self) -> None:
        """Write the first heartbeat, then go on in the background."""
        self._db.write(lambda s: processes.beat(s, self._heartbeat, now=self._db.now(s)))
        self._thread.start()

    def close(self) -> None:
        """Stop, and take this process off the list."""
        self._stop.set()
        if self._thread.ident is not None:  # it may never have been started
            self._thread.join()
        self._db.write(lambda s: processes.leave(s, self._heartbeat.id))

    def hold(self, run: ShardRun) -> bool:
        """Renew the lease of a run from now on; False if this attempt runs here already."""
        with self._lock:
            return self._runs.setdefault(run.unit.hold, run) is run

    def let_go(self, run: ShardRun) -> None:
        """Stop renewing a run's lease."""
        with self._lock:
            self._runs.pop(run.unit.hold, None)
            self._lock.notify_all()

    def give_back(self, hold: Hold) -> None:
        """Hand a shard back, without its try, as soon as the database can be told.

        If somebody else has it by then, nothing changes.
        """
        with self._lock:
            self._to_give_back.add(hold)

    def await_idle(self, timeout: float) -> bool:
        """Wait until no lease is held; False if one still is after `timeout` seconds."""
        with self._lock:
            return self._lock.wait_for(lambda: not self._runs, timeout)

    def runs(self) -> list[ShardRun]:
        """Return the runs whose leases are kept."""
        with self._lock:
            return list(self._runs.values())

    def drain(self) -> None:
        """Announce with the next heartbeat that no more work is wanted."""
        self._heartbeat = processes.draining(self._heartbeat)

    def tick(self) -> None:
        """Renew the runs that made progress and pass on the database's directive for each.

        Raises:
            RetryableError: the database can't be reached; leases keep running down.
        """
        asked = time.monotonic()
        held = {run.unit.hold: run for run in self.runs()}
        runs = {hold: run for hold, run in held.items() if not run.lost}
        # They may take long to end, and the reaper would not know why their leases did.
        cut_off = [run for hold, run in held.items() if hold not in runs and run.cut_off]
        progress = {
            hold: leases.Progress(run.done, moved=run.has_moved_since(asked - self._stall_seconds))
            for hold, run in runs.items()
        }

        with self._lock:
            self._to_give_back.update(run.unit.hold for run in cut_off)
            to_give_back = sorted(self._to_give_back, key=lambda hold: hold.shard)

        def renew(session: Session) -> dict[Hold, Directive]:
            now = self._db.now(session)
            processes.beat(session, self._heartbeat, now=now)
            for hold in to_give_back:
                leases.hand_back(session, hold, now=now)
            return leases.renew(session, progress, now=now, lease_seconds=self._lease_seconds)

        for hold, run in runs.items():
            run.cut_off = progress[hold].moved  # until the database answers: that may take long
        directives = self._db.write(renew)
        with self._lock:
            self._to_give_back.difference_update(to_give_back)
        for run in cut_off:
            run.cut_off = False
        for hold, directive in directives.items():
            run = runs[hold]
            if not run.lost:  # what came of its shard is known in time
                run.cut_off = False
            if directive is not Directive.GO_ON:
                run.stop(directive)
            elif progress[hold].moved:
                run.renewed(asked)

    def _loop(self) -> None:
        while not self._stop.wait(self._heartbeat_seconds):
            try:
                self.tick()
            except RetryableError as error:
                if (times := self._repeats.due("renew")) is not None:
                    _log.warning("leases not renewed", error=str(error), times=times)
            except Exception as error:
                if (times := self._repeats.due(type(error).__name__)) is not None:
                    _log.exception("unexpected; will try again", times=times)
