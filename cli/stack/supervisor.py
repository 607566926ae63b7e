"""Keeps one worker process per device running, in the foreground: `regatta worker`."""

import signal
import socket
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from types import FrameType

import structlog

from cli.exit_codes import FAILED, INTERRUPTED, OK, USAGE
from cli.stack.child import Child
from cli.stack.devices import CPU, Device
from cli.stack.environment import environment, python_module
from config.machine import available_cores, shares
from config.settings import Settings
from core.errors import RegattaError
from store import devices as sick_devices
from store.database import Database
from store.processes import WORKER, forget

_PATIENCE_SECONDS = 2.0  # a supervisor has other processes to look after

_log = structlog.get_logger()


def report_death(database_url: str, pid: int) -> None:
    """Remove a dead process of this host from the list of live ones.

    If the database cannot be reached, its leases end by themselves.
    """
    db = Database(database_url, patience=_PATIENCE_SECONDS)
    try:
        db.write(lambda s: forget(s, socket.gethostname(), pid))
    except RegattaError as error:
        _log.warning("cannot forget a dead process", pid=pid, error=str(error))
    finally:
        db.close()


def forgive(database_url: str, devices: Sequence[Device]) -> None:
    """Let devices of this host that were left out work again: somebody starts them anew.

    If the database cannot be reached, they stay as they are.
    """
    db = Database(database_url, patience=_PATIENCE_SECONDS)
    try:
        for device in devices:
            known = sick_devices.Device(socket.gethostname(), device.name)
            if db.write(partial(sick_devices.forgive, device=known)):
                _log.info("device gets another chance", device=device.name)
    except RegattaError as error:
        _log.warning("cannot ask for devices that were left out", error=str(error))
    finally:
        db.close()


_TICK_SECONDS = 0.2
_CLOSE_SECONDS = 10.0  # to hand back and free models, after the drain
_AT_ONCE_SECONDS = 5.0
_ENDED = (OK, -signal.SIGTERM)  # the latter if the signal came before it had begun


def device_workers(
    settings: Settings,
    devices: Sequence[Device],
    *arguments: str,
    log: Callable[[str], Path] | None = None,
    **changes: str,
) -> list[Child]:
    """Return an unstarted worker for each device: pinned to it, with its share of the cores.

    They are called `worker` or `worker-<device>`; `log` returns the log of the one of that name.
    """
    cores = shares(settings.cores or available_cores(), len(devices))
    command = python_module("worker", *arguments)
    return [
        Child(
            name,
            command,
            environment(settings, cores=str(share), **changes) | dict(device.environment),
            None if log is None else log(name),
            hang_seconds=settings.hang_seconds,
        )
        for device, share in zip(devices, cores, strict=True)
        for name in [f"{WORKER}{'' if device == CPU else f'-{device.name}'}"]
    ]


class Supervisor:
    """Starts the children, restarts what dies or hangs, and stops all of them in order.

    One child's death or hang does not affect the others. `stop` is asked at every turn how many
    stop signals have come: the first one drains, the second one is final.
    """

    def __init__(
        self,
        children: Sequence[Child],
        *,
        drain_seconds: float,
        stop: Callable[[], int],
        died: Callable[[int], object] = lambda _pid: None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._children = children
        self._drain_seconds = drain_seconds
        self._stop = stop
        self._died = died
        self._clock = clock

    def run(self, pause: Callable[[], object]) -> int:
        """Keep the children running until told to stop; return this process's exit code.

        `pause` is called between two turns. The code is 0 if every child drained, 130 if a second
        signal cut that short, 1 if one had to be killed, and 2 if no child can do what was asked.
        """
        for child in self._children:
            child.start(self._clock())
        while not self._stop():
            if not self.tick():
                return USAGE
            pause()
        return self._drain(pause)

    def tick(self) -> bool:
        """Look after every child once; False if none is left."""
        now = self._clock()
        for child in self._children:
            if child.end_if_hung(now):
                _log.error("worker hangs; its stacks follow, then it is killed", process=child.name)
            if death := child.died(now):
                pid, code = death
                _log.error("worker died", process=child.name, pid=pid, code=code)
                self._died(pid)
                if code == USAGE:  # it said why, and would say the same again
                    child.give_up()
            if child.restart_if_due(now):
                _log.info("worker started again", process=child.name)
        return any(child.is_kept for child in self._children)

    def _drain(self, pause: Callable[[], object]) -> int:
        _log.info("draining; a second signal hands back at once", seconds=self._drain_seconds)
        for child in self._children:
            child.terminate()
        kill_at = self._clock() + self._drain_seconds + _CLOSE_SECONDS
        code = OK
        while any(child.is_kept for child in self._children):
            now = self._clock()
            if self._stop() > 1 and code == OK:
                code = INTERRUPTED
                kill_at = now + _AT_ONCE_SECONDS
                for child in self._children:
                    child.terminate()
            for child in self._children:
                if death := child.died(now):
                    child.give_up()
                    _log.info("worker ended", process=child.name, pid=death[0], code=death[1])
                    if death[1] != OK:
                        self._died(death[0])
                    if death[1] not in _ENDED:
                        code = FAILED
                elif now >= kill_at:
                    child.kill()
            pause()
        return code


def supervise(settings: Settings, devices: Sequence[Device], *arguments: str) -> int:
    """Run a worker process on each device until SIGTERM or SIGINT; return the exit code."""
    with _signals() as (count, woken):
        forgive(settings.database_url, devices)
        children = device_workers(settings, devices, *arguments)
        names = [device.name for device in devices]

        def pause() -> None:
            if woken.wait(_TICK_SECONDS):
                woken.clear()

        _log.info("supervising", devices=names, cores=settings.cores or available_cores())
        supervisor = Supervisor(
            children,
            drain_seconds=settings.drain_seconds,
            stop=count,
            died=lambda pid: report_death(settings.database_url, pid),
        )
        try:
            return supervisor.run(pause)
        finally:
            for child in children:
                child.kill()


@contextmanager
def _signals() -> Iterator[tuple[Callable[[], int], threading.Event]]:
    """Count the signals to stop, and wake up whoever waits when one comes."""
    came: list[int] = []
    woken = threading.Event()

    def note(number: int, _frame: FrameType | None) -> None:
        came.append(number)
        woken.set()

    before = {number: signal.signal(number, note) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield lambda: len(came), woken
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
