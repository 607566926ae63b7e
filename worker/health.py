"""Keeps account of this process's device: whether its engines run what they are given.

An engine that fails on good inputs ends the process, and a fresh one goes on. After
`MOST_FAILURES` processes in a row the device is left out: later processes don't offer that engine,
until whoever started them starts them anew.
"""

import os
import socket
import threading
from collections.abc import Callable, Iterable

import structlog
from sqlalchemy import exists, select
from sqlalchemy.orm import Session

from core.errors import FatalError, RegattaError
from core.profile import Offered
from core.work import WorkUnit
from store import devices
from store.database import Database
from store.devices import Device
from store.rates import rate_of
from store.tables import Shard, SickDevice
from worker.engines.protocol import SickEngineError

EXIT_SICK = 71
"""The exit code of a process whose engine failed on good inputs."""

_log = structlog.get_logger()


def this_device() -> Device:
    """Return what this process is pinned to: see `cli.stack.devices`, which says so to CUDA."""
    visible = os.environ.get("CUDA_VISIBLE_DEVICES")
    name = "any" if visible is None else f"gpu{visible}" if visible else "cpu"
    return Device(socket.gethostname(), name)


class DeviceHealth:
    """The failures of this device's engines, as the database keeps them.

    `end` is called once, after an engine's failure was noted: the process has to end.
    """

    def __init__(self, db: Database, device: Device, end: Callable[[], object]) -> None:
        self._db = db
        self._device = device
        self._end = end
        self._lock = threading.Lock()
        self._failing: set[str] = set()  # engines that failed in the process before this one
        self._is_sick = False

    def usable(self, offered: Iterable[Offered]) -> tuple[Offered, ...]:
        """Return the offers that are not left out.

        Raises:
            RegattaError: the database can't be asked.
        """
        rows = self._db.read(lambda s: devices.failing(s, self._device))
        self._failing = {row.engine for row in rows if row.left_out_at is None}
        out = {row.engine: row for row in rows if row.left_out_at is not None}
        found = []
        for each in offered:
            if (row := out.get(each.offer.key)) is None:
                found.append(each)
            else:
                _log.error(
                    "device left out",
                    device=self._device.name,
                    engine=row.engine,
                    failures=row.failures,
                    error=row.error,
                    hint="start regatta anew once it is repaired",
                )
        return tuple(found)

    def note_failure(self, error: SickEngineError, unit: WorkUnit) -> FatalError | None:
        """Note that an engine failed, and have the process end.

        Returns:
            None if the device is to blame; else why the shard's job can't go on.
        """
        with self._lock:
            if self._is_sick:
                return None
            try:
                row = self._db.write(lambda s: self._noted(s, error, unit))
            except RegattaError as away:  # not counted, but what is sick has to end all the same
                _log.warning("failure not noted", error=str(away))
                row = None
            is_unfit = row is not None and row.failures >= devices.MOST_FAILURES and not row.has_run
            if is_unfit:
                self._forgive(error.engine)
                return FatalError(
                    f"network {error.network[:12]} has never run on {error.engine}: in "
                    f"{devices.MOST_FAILURES} processes in a row even a made-up input failed: "
                    f"{error}",
                    hint="`regatta models add` tries a model, `regatta doctor` looks at the "
                    "device; `regatta retry` goes on with the job",
                )
            self._is_sick = True
        _log.critical(
            "the engine fails on good inputs; ending this process",
            device=self._device.name,
            engine=error.engine,
            failures=None if row is None else row.failures,
            error=str(error),
        )
        self._end()
        return None

    def note_success(self, engines: Iterable[str]) -> None:
        """Note that engines have run a whole shard."""
        for engine in self._failing.intersection(engines):
            self._forgive(engine)
            self._failing.discard(engine)

    def _forgive(self, engine: str) -> None:
        self._db.write(lambda s: devices.forgive(s, self._device, engine))

    def has_run(self, unit: WorkUnit) -> bool:
        """Return whether the shard's model is known to run on its engine.

        Raises:
            RegattaError: the database can't be asked.
        """
        return self._db.read(lambda s: _has_run(s, unit))

    def _noted(self, session: Session, error: SickEngineError, unit: WorkUnit) -> SickDevice:
        return devices.note_failure(
            session,
            self._device,
            error.engine,
            str(error),
            has_run=error.has_run or _has_run(session, unit),
            now=self._db.now(session),
        )


def _has_run(session: Session, unit: WorkUnit) -> bool:
    if rate_of(session, unit.model.digest, unit.profile.key) is not None:
        return True
    done = exists().where(Shard.job_id == unit.job, Shard.succeeded > 0)
    return bool(session.scalar(select(done)))
