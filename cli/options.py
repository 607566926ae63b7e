"""Options that several commands share, as named values."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

from cli.parameters import click_option
from core.request import OPTIONS

F = TypeVar("F", bound=Callable[..., Any])

PRIORITY = click.IntRange(0, 9)
"""A job's weight is two to the power of its priority."""

FORMATS = ("table", "json", "ndjson", "csv")

job_argument = click.argument("job", metavar="JOB")

format_option = click.option(
    "--format",
    "form",
    type=click.Choice(FORMATS),
    help="How to print.  [default: table on a terminal, ndjson elsewhere]",
)

watch_option = click.option("--watch", is_flag=True, help="Keep showing it until it ends.")

_MORE_JOB_OPTIONS = (
    click.option(
        "--like",
        metavar="JOB",
        help="Take over what is not said here from another job: its id, the start of it, `latest` "
        "or its name; its manifest.json, as a path or URL; or a job file.",
    ),
    click.option(
        "--save",
        type=click.Path(dir_okay=False, path_type=Path),
        help="Only write a job file of what was asked; `regatta run FILE` does it.",
    ),
    click.option("--dry-run", is_flag=True, help="Only say what would be done."),
)


def job_options(command: F) -> F:
    """Add the options that describe a job (`core.request`) to a command."""
    for option in reversed((*map(click_option, OPTIONS.values()), *_MORE_JOB_OPTIONS)):
        command = option(command)
    return command
