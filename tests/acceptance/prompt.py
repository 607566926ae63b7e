"""Commands of a home in which a fleet runs, given in this process: to start one takes a second."""

import json
from dataclasses import dataclass
from pathlib import Path

from click.testing import CliRunner

from cli.main import cli
from tests.acceptance.fleet import Fleet
from tests.acceptance.terminal import Said


@dataclass(frozen=True, slots=True)
class Prompt:
    """Runs commands with the settings of a fleet, which has to be started."""

    fleet: Fleet

    def run(self, *words: str | Path) -> Said:
        """Run a command and return how it ended."""
        environment = self.fleet.environment()
        done = CliRunner().invoke(cli, [str(word) for word in words], env=environment)
        return Said(done.exit_code, done.stdout, done.stderr)

    def does(self, *words: str | Path) -> str:
        """Run a command that has to succeed and return what it printed."""
        said = self.run(*words)
        assert said.code == 0, (words, said.out, said.err)
        return said.out

    def json(self, *words: str | Path) -> object:
        """Return what a command prints as JSON."""
        return json.loads(self.does(*words, "--format", "json"))
