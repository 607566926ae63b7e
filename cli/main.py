"""The command line: `regatta`. Each command's module is only imported when it is used."""

import gc
import importlib
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from types import ModuleType
from typing import Any

import click

from cli.exit_codes import OK
from cli.failure import DEBUG, explain
from cli.show.pipe import is_reader_gone, nobody_reads
from core.escape import printable

COMMANDS = {
    "run": ("cli.run", "Run a model over a dataset, here and now, and wait for it."),
    "demo": ("cli.demo", "Run everything here, on pictures that Regatta draws itself."),
    "up": ("cli.up", "Run everything on this machine, in the foreground."),
    "sample": ("cli.sample", "Draw pictures to try things on."),
    "submit": ("cli.submit", "Hand a job to a running stack."),
    "schedule": ("cli.schedule.command", "Submit a job again and again, by the clock."),
    "redraw": ("cli.redraw", "Draw a job's pictures again, from its results."),
    "compact": ("cli.compact", "Make a job's results quick to ask about."),
    "jobs": ("cli.jobs", "List jobs, newest first; remove them."),
    "status": ("cli.status", "Show how a job, or everything under way, is going."),
    "results": ("cli.results", "Print what was found, even while the job still runs."),
    "query": ("cli.query", "Ask questions about results, in SQL."),
    "export": ("cli.export", "Write results in a format of other tools."),
    "eval": ("cli.evaluation", "Measure results against the truth: mAP, mIoU, F1, CER."),
    "report": ("cli.report", "Write an HTML page about a job: charts, pictures, failures."),
    "du": ("cli.du", "Show what jobs, models and the home take up."),
    "prune": ("cli.prune", "Remove old jobs, and what nothing refers to."),
    "cancel": ("cli.steering", "Stop a job for good; what is done stays."),
    "pause": ("cli.steering", "Stop a job for now."),
    "resume": ("cli.steering", "Let a paused job go on."),
    "retry": ("cli.steering", "Run again what a job left undone."),
    "priority": ("cli.steering", "Change how urgent a job is."),
    "quarantine": ("cli.quarantine", "Look at items that could not be processed."),
    "models": ("cli.models", "Name the models that jobs run."),
    "worker": ("cli.processes", "Run a worker, in the foreground."),
    "scheduler": ("cli.processes", "Run a scheduler, in the foreground."),
    "db": ("cli.db", "Look after the job database."),
    "health": ("cli.health", "Say whether a worker or scheduler is alive on this host."),
    "doctor": ("cli.doctor.command", "Check everything that Regatta depends on."),
    "completion": ("cli.completion", "Print the shell's completion script."),
}
"""Where each command is defined, and its line in the overview."""


_USUAL = frozenset({"REGATTA_HOME", "REGATTA_DATABASE_URL", "REGATTA_BROKER_URL"})
"""Variables that most people set, for whose sake no settings need be imported."""


def _imported(name: str) -> ModuleType:
    """Import a module and exempt its objects from garbage collection.

    They live to the end anyway. Scanning them while they grow in number, and again when the process
    ends, would take a quarter of the time of a short command.
    """
    if name in sys.modules:
        return sys.modules[name]
    gc.disable()
    try:
        return importlib.import_module(name)
    finally:
        gc.freeze()
        gc.enable()


class _PipeError(Exception):
    """A pipe is broken. Click would end the process, with code 1, if it saw what Python raises."""


@contextmanager
def _pipes_named() -> Iterator[None]:
    try:
        yield
    except BrokenPipeError as error:
        raise _PipeError(str(error)) from error


class LazyGroup(click.Group):
    """The top of the command line; it also turns every failure into words and an exit code."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002
        """Return the commands in the order in which people meet them."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        """Return the command of this name, importing its module."""
        if cmd_name not in COMMANDS:
            return None
        command = getattr(_imported(COMMANDS[cmd_name][0]), cmd_name)
        assert isinstance(command, click.Command)
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find the command that is asked for, or say which may have been meant."""
        is_typed = not ctx.resilient_parsing  # else the shell asks while somebody still types
        if is_typed and args and not args[0].startswith("-") and args[0] not in COMMANDS:
            raise click.exceptions.NoSuchCommand(args[0], possibilities=COMMANDS, ctx=ctx)
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002
        """Write the overview without importing any command."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, line) for name, (_, line) in COMMANDS.items()])

    def make_context(self, *args: Any, **extra: Any) -> click.Context:
        """Parse the command line; `--help` prints already here."""
        with _pipes_named():
            return super().make_context(*args, **extra)

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command."""
        with _pipes_named():
            return super().invoke(ctx)

    def main(self, *args: Any, **extra: Any) -> Any:
        """Run a command and end the process with its exit code."""
        extra["standalone_mode"] = False
        try:
            code = super().main(*args, **extra)
            sys.stdout.flush()  # what it cannot write now, it would complain about at the very end
        except SystemExit:
            raise
        except (_PipeError, BrokenPipeError) as error:
            code = _parted(error)
        except BaseException as error:
            code = explain(error)
        sys.exit(code if isinstance(code, int) else 0)


def _parted(error: BaseException) -> int:
    """End the output of a command whose reader has seen enough; return the exit code."""
    if not is_reader_gone():
        return explain(error.__cause__ or error)
    nobody_reads()
    return OK


@click.group(
    cls=LazyGroup,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    no_args_is_help=True,
    epilog="Example: regatta run photos --model models/picodet",
)
@click.option("--debug", is_flag=True, help="On failure, print the traceback as well.")
@click.version_option(package_name="regatta", prog_name="regatta")
def cli(*, debug: bool) -> None:
    """Run PaddlePaddle models over whole datasets of images."""
    if debug:
        DEBUG.set()
    if any(name.startswith("REGATTA_") and name not in _USUAL for name in os.environ):
        _warn_of_unknown_variables()


def _warn_of_unknown_variables() -> None:
    from config.variables import unknown_variables  # noqa: PLC0415 - it needs all settings

    for sentence in unknown_variables(os.environ):
        click.echo(f"warning: {printable(sentence)}", err=True)


def main() -> None:
    """Run the command line of this process."""
    cli(prog_name="regatta")
