"""The worker process's single runtime, which starts and ends with its Celery worker."""

import os
import random
import socket
import threading
from collections.abc import Sequence
from functools import partial
from importlib.metadata import version

import structlog
from sqlalchemy.orm import Session

from config.settings import Settings
from core.errors import RegattaError, UsageError
from core.heartbeat_pipe import HeartbeatWriter
from core.ids import new_id
from core.items import ItemRef
from core.work import Directive, Hold
from store import leases
from store.database import Database
from store.processes import WORKER, Heartbeat
from worker.assembly import build_drawing, build_pipeline, patience_of, picture_memory
from worker.engines.registry import engines_named
from worker.health import EXIT_SICK, DeviceHealth, this_device
from worker.kinds.known import known_kinds
from worker.lease_keeper import LeaseKeeper
from worker.preload import preload, profile_here
from worker.shard import ShardRunner
from worker.watchdog import Accused, Watchdog
from worker.ways.chooser import WayChooser

_SICK_SECONDS = 20.0  # for the shards of a process whose engine has failed to go back

_log = structlog.get_logger()


class Runtime:
    """This process's pipeline, leases and watchdog."""

    def __init__(self, settings: Settings, queues: tuple[str, ...]) -> None:
        self._settings = settings
        self._draining = threading.Event()
        self._db = Database(settings.database_url, application="regatta worker")
        engines = engines_named(settings.engines)
        health = DeviceHealth(self._db, this_device(), self._end_sick)
        try:
            self._offered = health.usable(engines.offered)
        except RegattaError:
            self._db.close()
            raise
        self._is_whole = self._offered == engines.offered
        self._chooser = WayChooser(self._db, engines)
        memory = picture_memory(settings)
        self._pipeline = build_pipeline(settings, memory)
        self._drawing = build_drawing(settings, memory)
        kinds = known_kinds(
            self._db,
            self._pipeline,
            self._chooser,
            self._drawing,
            stall_seconds=settings.stall_seconds,
        )
        worker_id = f"{socket.gethostname()}-{os.getpid()}-{new_id(random.SystemRandom())}"
        self._keeper = LeaseKeeper(
            self._db,
            Heartbeat(
                id=worker_id,
                role=WORKER,
                host=socket.gethostname(),
                pid=os.getpid(),
                version=version("regatta"),
                slots=settings.concurrency,
                queues=queues,
                offers=self._offered,
                kinds=tuple(kinds),
            ),
            lease_seconds=settings.lease_seconds,
            heartbeat_seconds=settings.heartbeat_seconds,
            stall_seconds=settings.stall_seconds,
        )
        self._watchdog = Watchdog(
            self._keeper.runs,
            stall_seconds=settings.stall_seconds,
            look_seconds=min(5.0, settings.hang_seconds / 4, settings.picture_seconds / 4),
            accuse=self._give_back,
            beat=HeartbeatWriter.of_this_process().beat,
        )
        self._runner = ShardRunner(
            db=self._db,
            kinds=kinds,
            keeper=self._keeper,
            worker_id=worker_id,
            offers=tuple(each.offer for each in self._offered),
            lease_seconds=settings.lease_seconds,
            max_tries=settings.max_tries,
            patience=patience_of(settings),
            draining=self._draining.is_set,
            health=health,
        )

    def start(self) -> None:
        """Preload models, then become visible to schedulers.

        Raises:
            UsageError: a model to be preloaded is not registered.
            FatalError: a model can't be loaded.
            RegattaError: the database can't be used; its connections are closed.
        """
        try:
            self._preload()
            # First: whoever can be seen has given a sign of life, and is missed when none follows.
            self._watchdog.start()
            try:
                self._keeper.start()
            except RegattaError:
                self._watchdog.close()
                raise
        except RegattaError:
            self._db.close()
            raise
        _log.info("worker ready", offers=[offer.key for offer in self._runner.offers])

    def run(self, hold: Hold) -> str:
        """Run the shard that a message names, and return how it ended."""
        return self._runner.run(hold)

    def drain(self) -> None:
        """Take no more work; running shards finish within the drain time or are handed back.

        A second call hands them back at once.
        """
        if self._draining.is_set():
            self._hand_back()
            return
        self._draining.set()
        self._keeper.drain()
        _log.info("draining", running=len(self._keeper.runs()))
        timer = threading.Timer(self._settings.drain_seconds, self._hand_back)
        timer.daemon = True
        timer.start()

    def close(self) -> None:
        """Shut down in order. Shards still running (a second signal cuts a drain short) go back."""
        self._hand_back()
        if not self._keeper.await_idle(self._settings.drain_seconds):
            _log.warning("something hangs; its lease will lapse")
            return
        self._watchdog.close()
        self._keeper.close()
        self._drawing.close()
        self._pipeline.close()
        self._pipeline.models.close()
        self._db.close()

    def _preload(self) -> None:
        if not self._is_whole:  # a device that is left out would fail again
            return
        names = [name.strip() for name in self._settings.preload.split(",") if name.strip()]
        profile = partial(
            profile_here,
            offered=self._offered,
            batch_size=self._settings.batch_size,
            jpeg_quality=self._settings.jpeg_quality,
        )
        preload(self._db, self._pipeline.models, self._chooser, names, profile)

    def _end_sick(self) -> None:
        """End this process once its shards have gone back, without waiting for that here."""
        self._draining.set()
        threading.Thread(target=self._leave_sick, name="sick", daemon=True).start()

    def _leave_sick(self) -> None:
        try:
            self._keeper.drain()
            self._hand_back()
            self._keeper.await_idle(_SICK_SECONDS)
            self._keeper.close()
        except RegattaError as error:
            _log.warning("not signed off", error=str(error))
        finally:
            os._exit(EXIT_SICK)  # in order is no longer possible: the engine may hang, too

    def _give_back(self, accused: Accused) -> None:
        """Give back all shards before the process ends, with the items that took too long."""
        for run, items in accused.items():
            self._db.write(partial(self._give_back_one, run.unit.hold, items))

    def _give_back_one(self, hold: Hold, suspects: Sequence[ItemRef], session: Session) -> bool:
        positions = {item.index for item in suspects}
        return leases.accuse(session, hold, positions, now=self._db.now(session))

    def _hand_back(self) -> None:
        for run in self._keeper.runs():
            run.stop(Directive.HAND_BACK)


_current: Runtime | None = None


def current() -> Runtime:
    """Return this process's runtime.

    Raises:
        UsageError: the process is not a running worker.
    """
    if _current is None:
        raise UsageError("this process is not a worker", hint="start one with `regatta worker`")
    return _current


def begin(settings: Settings, queues: tuple[str, ...]) -> Runtime:
    """Create and start this process's runtime."""
    global _current  # noqa: PLW0603 - one per process, as Celery's tasks find it
    _current = Runtime(settings, queues)
    _current.start()
    return _current


def end() -> None:
    """Close the runtime, if there is one."""
    global _current
    runtime, _current = _current, None
    if runtime is not None:
        runtime.close()
