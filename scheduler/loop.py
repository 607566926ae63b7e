"""The scheduler's loop: one process, seven threads, any number of them side by side.

Planning reads listings, the guard rows, settling reads and writes outputs, and firing looks at
sources: any of these may take a while, so planning and firing have a thread each, and the other two
share one. Removing old runs may take hours, and has one, too; so have the compactor, which reads
manifests and removes compactions, and telling others what happened. Everything else is short.
"""

import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import structlog

from core.errors import RegattaError
from core.repeats import Repeats
from scheduler.compact import Compactor
from scheduler.dispatch import Dispatcher
from scheduler.doorbell import Doorbell
from scheduler.firing import Firing
from scheduler.guard import Guard
from scheduler.notices import Notifier
from scheduler.plan import Planner
from scheduler.profiles import Profiler
from scheduler.reap import Reaper
from scheduler.retention import Retention
from scheduler.settle import Settler
from scheduler.submit import JobDefaults
from scheduler.webhooks import Rules
from store import processes
from store.database import Database
from store.jobs import any_under_way

_TICK_SECONDS = 0.25
_IDLE_SECONDS = 0.25
_FIRE_SECONDS = 0.5
_COMPACT_SECONDS = 2.0
_SUBMITTING = 4  # schedules whose sources are looked at at the same time
_REST_SECONDS = 5.0  # at least so often everything is looked at, even if no job is under way

_log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Timing:
    """The scheduler's settings, all in seconds except `max_tries` and `compact_parts`."""

    lease_seconds: float
    heartbeat_seconds: float
    republish_seconds: float
    max_tries: int
    compact_parts: int = 0

    @property
    def worker_ttl(self) -> float:
        """How long after its last heartbeat a worker's slots still count."""
        return max(self.lease_seconds, self.silence)

    @property
    def silence(self) -> float:
        """How long after its last heartbeat a process that lost its lease counts as dead."""
        return 3 * self.heartbeat_seconds


class Scheduler:
    """Everything that a scheduler does, one turn (`tick`) at a time, or until stopped (`run`)."""

    def __init__(
        self,
        db: Database,
        doorbell: Doorbell,
        heartbeat: processes.Heartbeat,
        timing: Timing,
        defaults: JobDefaults,
        rules: Rules,
    ) -> None:
        self._db = db
        self._heartbeat = heartbeat
        self._timing = timing
        self._last_beat = self._last_tick = float("-inf")
        self._repeats = Repeats()
        ttl = timing.worker_ttl
        self.planner = Planner(db, heartbeat.id, lease_seconds=timing.lease_seconds)
        self.profiler = Profiler(db, worker_ttl=ttl)
        self.dispatcher = Dispatcher(
            db, doorbell, worker_ttl=ttl, republish_seconds=timing.republish_seconds
        )
        self.reaper = Reaper(
            db,
            silence=timing.silence,
            max_tries=timing.max_tries,
            lease_seconds=timing.lease_seconds,
        )
        self.settler = Settler(db)
        self.guard = Guard(db)
        self.notifier = Notifier(db, heartbeat.id, rules)
        self._pool = ThreadPoolExecutor(_SUBMITTING, "submit")
        self.firing = Firing(db, defaults, pool=self._pool)

    def tick(self) -> None:
        """Run everything short once; trouble in one part doesn't stop the others."""
        for turn in (
            self._beat,
            self.profiler.tick,
            self.reaper.tick,
            self.dispatcher.tick,
        ):
            self._quietly(turn)

    def run(self, stop: threading.Event) -> None:
        """Run until `stop` is set, then leave in order."""
        threads = [
            threading.Thread(target=self._plan, args=(stop,), name="planner"),
            threading.Thread(target=self._settle, args=(stop,), name="settler"),
            threading.Thread(target=self.notifier.run, args=(stop,), name="notifier"),
            threading.Thread(target=self._fire, args=(stop,), name="firing"),
            threading.Thread(target=self._clear, args=(stop,), name="retention"),
            threading.Thread(target=self._compact, args=(stop,), name="compactor"),
        ]
        for thread in threads:
            thread.start()
        _log.info("scheduler started", id=self._heartbeat.id)
        try:
            while not stop.wait(_TICK_SECONDS):
                if not self._quietly(self._may_rest):
                    self.tick()
                    self._last_tick = time.monotonic()
        finally:
            stop.set()
            for thread in threads:
                thread.join()
            self._quietly(self._leave)
            _log.info("scheduler stopped", id=self._heartbeat.id)

    def _may_rest(self) -> bool:
        """Return whether no job is under way, which one query says, and the last turn is recent."""
        if time.monotonic() - self._last_tick > _REST_SECONDS:
            return False
        self._beat()
        return not self._db.read(any_under_way)

    def _plan(self, stop: threading.Event) -> None:
        while not stop.is_set():
            if not self._quietly(self.planner.tick):
                stop.wait(_IDLE_SECONDS)
        self._quietly(self.planner.close)

    def _settle(self, stop: threading.Event) -> None:
        last = float("-inf")
        while not stop.wait(_TICK_SECONDS):
            rested = time.monotonic() - last > _REST_SECONDS
            if rested or self._quietly(lambda: self._db.read(any_under_way)):
                self._quietly(self.guard.tick)
                self._quietly(self.settler.tick)
                last = time.monotonic()

    def _compact(self, stop: threading.Event) -> None:
        least = self._timing.compact_parts
        compactor = Compactor(self._db, least_parts=least, is_stopped=stop.is_set)
        while not stop.wait(_COMPACT_SECONDS):
            self._quietly(compactor.tick)

    def _clear(self, stop: threading.Event) -> None:
        retention = Retention(self._db, is_stopped=stop.is_set)
        while not stop.wait(_REST_SECONDS):
            self._quietly(retention.tick)

    def _fire(self, stop: threading.Event) -> None:
        while not stop.wait(_FIRE_SECONDS):
            self._quietly(self.firing.tick)
        self._pool.shutdown(cancel_futures=True)

    def _beat(self) -> None:
        if time.monotonic() - self._last_beat < self._timing.heartbeat_seconds:
            return
        self._db.write(lambda s: processes.beat(s, self._heartbeat, now=self._db.now(s)))
        self._db.write(lambda s: processes.forget_silent(s, now=self._db.now(s)))
        self._last_beat = time.monotonic()

    def _leave(self) -> None:
        self._db.write(lambda s: processes.leave(s, self._heartbeat.id))

    def _quietly(self, turn: Callable[[], object]) -> bool:
        """Run one turn; log whatever fails, to try it again."""
        try:
            return bool(turn())
        except RegattaError as error:
            times = self._repeats.due(_name(turn), type(error).__name__)
            if times is not None:
                _log.warning("will try again", error=str(error), hint=error.hint, times=times)
        except Exception as error:
            times = self._repeats.due(_name(turn), type(error).__name__)
            if times is not None:
                _log.exception("unexpected; will try again", times=times)
        return False


def _name(turn: Callable[[], object]) -> str:
    return getattr(turn, "__qualname__", repr(turn))
