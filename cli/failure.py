"""What a command says when it fails, and the exit code that it returns."""

import threading
import traceback
from contextlib import suppress

import click

from cli.exit_codes import FAILED, INTERRUPTED, USAGE
from core.errors import RegattaError, UsageError
from core.escape import printable

DEBUG = threading.Event()
"""Set by `--debug`: tracebacks are printed as well."""


def explain(error: BaseException) -> int:
    """Say on stderr what went wrong and what to do about it; return the exit code."""
    if DEBUG.is_set():
        traceback.print_exception(error)
    if isinstance(error, click.ClickException):
        return _explain_click(error)
    if isinstance(error, click.Abort | KeyboardInterrupt):
        click.echo("interrupted", err=True)
        return INTERRUPTED
    if isinstance(error, RegattaError):
        say_error(str(error), error.hint)
        return USAGE if isinstance(error, UsageError) else FAILED
    say_error(f"unexpected {type(error).__name__}: {error}", "`regatta --debug ...` prints where")
    return FAILED


def say_error(message: str, hint: str | None = None) -> None:
    """Say on stderr what is wrong, and what to do about it."""
    with suppress(BrokenPipeError):  # the exit code says it as well
        click.echo(f"error: {printable(message)}", err=True)
        if hint:
            click.echo(f"hint: {printable(hint)}", err=True)


def _explain_click(error: click.ClickException) -> int:
    if isinstance(error, click.exceptions.NoArgsIsHelpError):
        error.show()
        return USAGE
    usage = error if isinstance(error, click.UsageError) else None
    path = usage.ctx.command_path if usage and usage.ctx else None
    message = " ".join(error.format_message().split())  # choices are a line each
    say_error(message, f"`{path} --help` shows what there is" if path else None)
    return FAILED if usage is None else USAGE
