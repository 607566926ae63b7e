"""Keeps the embedded stack of one home running: the module `cli.stack.keeper`.

The first command that needs the stack starts it. It stops when the last one has left, however that
ended: the kernel releases the locks of killed processes.
"""

import os
import signal
import sys
import threading
import time
from collections.abc import Mapping
from contextlib import suppress

import structlog

from cli.stack.broker import answers, broker_url, server_command
from cli.stack.child import Child
from cli.stack.devices import find_devices
from cli.stack.environment import environment, python_module
from cli.stack.filelock import FileLock
from cli.stack.home import Home, StackState, read_state
from cli.stack.processid import ProcessId
from cli.stack.schema import ensure_newest
from cli.stack.supervisor import device_workers, forgive, report_death
from config.logs import configure_logs
from config.settings import Settings, load_settings
from core.errors import RegattaError
from store.processes import WORKER

_TICK_SECONDS = 0.2
_BROKER_SECONDS = 60.0  # to load what its log holds
_STOP_SECONDS = 10.0
_LOCK_SECONDS = 5.0
_LEFTOVER_SECONDS = 5.0

_log = structlog.get_logger()


class Keeper:
    """The processes of one home's stack. One thread; `stop` ends it in order."""

    def __init__(self, settings: Settings, home: Home, stop: threading.Event) -> None:
        self._settings = settings
        self._home = home
        self._stop = stop
        self._owns_broker = settings.broker_url is None
        self.broker_url = settings.broker_url or broker_url(home)
        self._children: list[Child] = []

    def run(self) -> None:
        """Start everything, keep it running, and stop it when nobody uses it any more.

        Raises:
            RegattaError: it cannot be started.
        """
        dead = self._end_leftovers()
        with FileLock(self._home.users_lock) as users:
            try:
                ensure_newest(self._settings.database_url)
                for name, child in dead.items():
                    self._forget(name, child.pid)
                self._start()
                self._watch(users)
            finally:
                with suppress(OSError):  # a full disk must not keep it from stopping
                    self._write_state(ready=False)
                self._stop_children()
                self._home.clean()

    def _start(self) -> None:
        env = environment(self._settings, broker_url=self.broker_url)
        if self._owns_broker:
            self._add(self._child("redis", server_command(self._home), dict(os.environ)))
            self._await_broker()
        self._add(self._child("scheduler", python_module("scheduler"), env))
        devices = find_devices("auto")
        forgive(self._settings.database_url, devices)
        for child in device_workers(
            self._settings, devices, log=self._home.log, broker_url=self.broker_url
        ):
            self._add(child)
        self._write_state(ready=True)
        _log.info("stack started", home=str(self._home.path))

    def _child(self, name: str, command: list[str], env: dict[str, str]) -> Child:
        return Child(name, command, env, self._home.log(name))

    def _add(self, child: Child) -> None:
        child.start(time.monotonic())
        self._children.append(child)
        self._write_state(ready=False)

    def _await_broker(self) -> None:
        (broker,) = self._children
        until = time.monotonic() + _BROKER_SECONDS
        while not answers(self._home.socket):
            now = time.monotonic()
            if broker.died(now) or now > until:
                raise RegattaError(
                    "the Redis server did not start", hint=f"see {self._home.log('redis')}"
                )
            time.sleep(0.02)

    def _watch(self, users: FileLock) -> None:
        # Whoever comes while the stack stops waits for this lock, and starts the next one.
        while not users.try_alone():
            if self._stop.wait(_TICK_SECONDS):
                _log.info("told to stop")
                return
            self._tick(time.monotonic())
        _log.info("the last user has left")

    def _tick(self, now: float) -> None:
        changed = False
        for child in self._children:
            if child.end_if_hung(now):
                _log.error("process hangs; its log gets its stacks", process=child.name)
            if death := child.died(now):
                _log.error("process died", process=child.name, pid=death[0], code=death[1])
                self._forget(child.name, death[0])
            if child.restart_if_due(now):
                changed = True
        if changed:
            with suppress(OSError):  # even if the disk is full, they have to be kept running
                self._write_state(ready=True)

    def _forget(self, name: str, pid: int) -> None:
        """Tell the scheduler at once, instead of when the dead process's leases end."""
        if name != "redis":
            report_death(self._settings.database_url, pid)

    def _stop_children(self) -> None:
        """Stop the workers first: they hand back what they run. The broker goes last."""
        workers = [child for child in self._children if child.name.startswith(WORKER)]
        for child in workers:
            child.terminate()
        for child in reversed(self._children):
            patience = _STOP_SECONDS
            if child in workers:
                patience += self._settings.drain_seconds
            else:
                child.terminate()
            code = child.await_end(patience)
            if code is not None:
                _log.info("stopped", process=child.name, code=code)
        self._children.clear()

    def _end_leftovers(self) -> Mapping[str, ProcessId]:
        """End what a killed keeper left running, before its files are used again; return it."""
        before = read_state(self._home.state)
        if before is None:
            return {}
        for name, child in reversed(before.children.items()):
            if child.lives:
                _log.warning("ending a leftover", process=name, pid=child.pid)
                child.end(_LEFTOVER_SECONDS)
        return before.children

    def _write_state(self, *, ready: bool) -> None:
        me = ProcessId.of(os.getpid())
        assert me is not None
        running = {child.name: child.identity for child in self._children}
        StackState(
            keeper=me,
            ready=ready,
            broker_url=self.broker_url,
            children={name: identity for name, identity in running.items() if identity},
        ).write(self._home.state)


def main() -> int:
    """Keep the stack of `REGATTA_HOME`, unless somebody already does."""
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    try:
        settings = load_settings()
        home = Home(settings.home)
        home.prepare()
        configure_logs(settings)
        os.chdir(home.path)
        with FileLock(home.keeper_lock) as lock:
            if _take(lock):
                Keeper(settings, home, stop).run()
    except RegattaError as error:
        sys.stderr.write(f"error: {error}\n" + (f"hint: {error.hint}\n" if error.hint else ""))
        return 1
    except OSError as error:
        sys.stderr.write(f"error: {error}\n")
        return 1
    return 0


def _take(lock: FileLock) -> bool:
    """Take the lock; a process that checks whether it is held has it for an instant."""
    until = time.monotonic() + _LOCK_SECONDS
    while not lock.try_alone():
        if time.monotonic() > until:
            return False
        time.sleep(0.02)
    return True


if __name__ == "__main__":
    sys.exit(main())
