"""The command line, as somebody types it in a terminal of one home."""

import json
import os
import signal
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cli.stack.home import Home, read_state
from tests.acceptance.fleet import DEADLINE, Fleet


@dataclass(frozen=True, slots=True)
class Said:
    """How a command ended: its exit code, and what it printed."""

    code: int
    out: str
    err: str

    @property
    def object(self) -> Any:
        """What it printed as JSON."""
        return json.loads(self.out)

    @property
    def objects(self) -> list[Any]:
        """What it printed as NDJSON."""
        return [json.loads(line) for line in self.out.splitlines()]


class Command:
    """A command that runs."""

    def __init__(self, words: tuple[str, ...], environment: dict[str, str], log: Path) -> None:
        self._log = log
        with log.with_suffix(".out").open("wb") as out, log.with_suffix(".err").open("wb") as err:
            self.process = subprocess.Popen(
                [str(Path(sys.executable).with_name("regatta")), *words],
                env=environment,
                cwd=log.parent,
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=err,
                start_new_session=True,
            )

    @property
    def out(self) -> str:
        return self._log.with_suffix(".out").read_text()

    @property
    def err(self) -> str:
        return self._log.with_suffix(".err").read_text()

    def press_ctrl_c(self) -> None:
        self.process.send_signal(signal.SIGINT)

    def end(self, deadline: float = DEADLINE) -> Said:
        """Wait until it has ended, so many seconds at most."""
        code = self.process.wait(deadline)
        return Said(code, self.out, self.err)


class Terminal:
    """Commands in a fleet's home, whose database and outputs the fleet's methods then show.

    The processes of the home are those that the commands start themselves.
    """

    def __init__(self, fleet: Fleet, **settings: str) -> None:
        self._fleet = fleet
        self._environment = fleet.environment(**settings)
        del self._environment["REGATTA_BROKER_URL"]
        self._commands: list[Command] = []

    @property
    def home(self) -> Path:
        return self._fleet.folder

    def start(self, *words: str | Path) -> Command:
        log = self._fleet.folder / f"command-{len(self._commands)}"
        command = Command(tuple(map(str, words)), self._environment, log)
        self._commands.append(command)
        return command

    def run(self, *words: str | Path) -> Said:
        return self.start(*words).end()

    def up(self) -> Command:
        """Start the stack that the commands after it find running."""
        command = self.start("up")
        self._fleet.until(lambda: "ready; Ctrl-C stops it" in command.err, "the stack is up")
        return command

    def close(self) -> None:
        """End every command, and the stack that they share."""
        for command in self._commands:
            command.process.kill()
            command.process.wait()
        state = read_state(Home(self._fleet.folder).state)
        if state is None:
            return
        for process in (state.keeper, *state.children.values()):
            if process.lives:
                os.kill(process.pid, signal.SIGKILL)
