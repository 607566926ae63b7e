"""A command's hold on the embedded stack: started if needed, shared with other commands."""

import os
import signal
import sys
import time
from collections.abc import Callable
from types import TracebackType
from typing import Self

from cli.stack.environment import environment, python_module
from cli.stack.filelock import FileLock, is_held
from cli.stack.home import Home, StackState, read_state
from config.settings import Settings
from core.errors import RegattaError

_START_SECONDS = 90.0
_LEAVE_SECONDS = 0.5
_PAUSE_SECONDS = 0.03


class Stack:
    """The stack of the settings' home, for as long as this context lasts.

    `say` is called with what a person has to wait for.
    """

    def __init__(self, settings: Settings, say: Callable[[str], None]) -> None:
        self.home = Home(settings.home)
        self._settings = settings
        self._say = say
        self._users: FileLock | None = None
        self._keeper: int | None = None
        self.was_running = False
        """Whether another command had started the stack when this one came."""

    def __enter__(self) -> Self:
        """Attach to the stack, or start it.

        Raises:
            RegattaError: it does not start.
        """
        self.home.prepare()
        self._users = FileLock(self.home.users_lock)
        try:
            if not self._users.try_shared():
                self._say("waiting for the last stack of this home to stop")
                self._users.wait_shared()
            self.was_running = self._usable() is not None
            self.ensure()
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Leave. The keeper stops the stack once the last user has left."""
        if self._users is not None:
            self._users.close()
            self._users = None

    def ensure(self) -> StackState:
        """Return the running stack, after starting it again if its keeper is gone.

        Raises:
            RegattaError: it does not start.
        """
        return self._usable() or self._start()

    def await_stop(self) -> bool:
        """Leave, and wait until the stack has stopped; return False if others still use it."""
        self.close()
        until = time.monotonic() + _LEAVE_SECONDS
        with FileLock(self.home.users_lock) as users:
            while not users.try_alone() and self._usable() is not None:
                if time.monotonic() > until:
                    return False
                time.sleep(_PAUSE_SECONDS)
        while is_held(self.home.keeper_lock):
            self._has_ended()
            time.sleep(_PAUSE_SECONDS)
        return True

    def _usable(self) -> StackState | None:
        state = read_state(self.home.state)
        if state is None or not state.ready or not state.keeper.lives:
            return None
        return state

    def _start(self) -> StackState:
        until = time.monotonic() + _START_SECONDS + self._settings.drain_seconds
        log = self.home.log("keeper")
        with FileLock(self.home.start_lock) as start:
            start.wait_alone()
            spawned, behind = False, 0
            steps = _Steps(self._say)
            while (state := self._usable()) is None:
                if not spawned and not is_held(self.home.keeper_lock):
                    behind = log.stat().st_size if log.exists() else 0
                    self._spawn()
                    spawned = True
                if spawned:
                    steps.look(read_state(self.home.state))
                if (spawned and self._has_ended()) or time.monotonic() > until:
                    with log.open("rb") as file:
                        file.seek(behind)
                        said = file.read().decode(errors="replace")
                    raise RegattaError(
                        f"the stack did not start: {_reason(said)}", hint=f"see {log}"
                    )
                time.sleep(_PAUSE_SECONDS)
        return state

    def _spawn(self) -> None:
        # Not subprocess: the keeper deliberately outlives this command, in a session of its own,
        # so that Ctrl-C in this terminal does not reach it.
        appending = os.O_WRONLY | os.O_CREAT | os.O_APPEND
        self._keeper = os.posix_spawn(
            sys.executable,
            python_module("cli.stack.keeper"),
            environment(self._settings),
            file_actions=[
                (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0),
                (os.POSIX_SPAWN_OPEN, 1, str(self.home.log("keeper")), appending, 0o600),
                (os.POSIX_SPAWN_DUP2, 1, 2),
            ],
            setsid=True,
            setsigmask=(),
            setsigdef=(signal.SIGINT, signal.SIGPIPE),
        )

    def _has_ended(self) -> bool:
        """Return whether the keeper that this command started has ended, and reap it."""
        if self._keeper is None:
            return True
        ended = os.waitpid(self._keeper, os.WNOHANG)[0] != 0
        if ended:
            self._keeper = None
        return ended


class _Steps:
    """Says what a keeper starts, while somebody waits for it."""

    def __init__(self, say: Callable[[str], None]) -> None:
        self._say = say
        self._said: set[str] = set()

    def look(self, state: StackState | None) -> None:
        """Say what began since the last call: each child is written down once it is started."""
        begun = set() if state is None or not state.keeper.lives else state.children.keys()
        for step in ("preparing the job database", *(f"starting the {name}" for name in begun)):
            if step not in self._said:
                self._said.add(step)
                self._say(step.replace("redis", "broker"))


def _reason(said: str) -> str:
    """Return the line of a keeper's log that says why it gave up."""
    errors = [line for line in said.splitlines() if line.startswith("error: ")]
    if errors:
        return errors[-1].removeprefix("error: ")
    return said.strip().rpartition("\n")[2] or "it said nothing"
