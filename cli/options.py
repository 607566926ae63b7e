"""Options that several commands share, and the values that are typed for them."""

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

from cli import complete
from core.option import Kind, Option
from core.request import OPTIONS
from core.tolerance import parse_tolerance
from core.values import (
    annotate_text,
    parse_annotate,
    parse_colour,
    parse_since,
    parse_size,
    parse_tile,
)


class Written(click.ParamType[Any]):
    """A value written as text, which `read` understands or refuses (ValueError)."""

    def __init__(self, name: str, read: Callable[[str], Any]) -> None:
        self.name = name
        self._read = read

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Return the value that the text stands for."""
        if not isinstance(value, str):
            return value
        try:
            return self._read(value)
        except ValueError as error:
            self.fail(str(error), param, ctx)


class Number(click.FloatRange):
    """A number within bounds: NaN, which no bound stops, and infinity are none."""

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> float:
        """Return the number that the text stands for."""
        number = float(super().convert(value, param, ctx))
        if not math.isfinite(number):
            self.fail(f"{value!r} is no number", param, ctx)
        return number


def _checked_since(text: str) -> str:
    parse_since(text)
    return text  # an age counts from when the job begins


SIZE = Written("size", parse_size)
SINCE = Written("date|age", _checked_since)
TILE = Written("WxH", parse_tile)
COLOUR = Written("colour", parse_colour)
ANNOTATE = Written("all|none|sample:N", parse_annotate)

TOLERANCE = Written("N|P%", parse_tolerance)

_COMPLETED = {
    Kind.MODEL: complete.models,
    Kind.PLACE: complete.paths,
    Kind.ANNOTATE: complete.which_pictures,
}
_WRITTEN = {
    Kind.SIZE: SIZE,
    Kind.SINCE: SINCE,
    Kind.TILE: TILE,
    Kind.COLOUR: COLOUR,
    Kind.ANNOTATE: ANNOTATE,
    Kind.TOLERANCE: TOLERANCE,
}


def click_option(each: Option) -> Callable[[Any], Any]:
    """Return the decorator that gives a command this option."""
    text = each.help
    more: dict[str, Any] = {}
    if each.kind is Kind.SWITCH:
        names = [f"--{each.name}/--no-{each.name}"]
    else:
        names = [f"-{each.short}"] if each.short else []
        names.append(each.flag)
        more = {"type": _type(each), "metavar": each.metavar, "multiple": each.is_repeated}
        if each.kind in _COMPLETED:
            more["shell_complete"] = _COMPLETED[each.kind]
    if each.otherwise is not None:
        text += f"  [default: {each.otherwise}]"
    if each.default is not None and not each.is_repeated:
        is_word = each.kind is Kind.ANNOTATE
        default = annotate_text(each.default) if is_word else each.default
        more |= {"default": default, "show_default": True}
    return click.option(*names, each.key, help=text, **more)


def _type(each: Option) -> click.ParamType[Any]:
    if each.choices:
        return click.Choice(each.choices)
    if each.kind is Kind.WHOLE:
        least = None if each.least is None else int(each.least)
        return click.IntRange(least, None if each.most is None else int(each.most))
    if each.kind is Kind.NUMBER:
        return click.FloatRange(each.least, each.most)
    return _WRITTEN.get(each.kind, click.STRING)


F = TypeVar("F", bound=Callable[..., Any])

PRIORITY = click.IntRange(0, 9)
"""A job's weight is two to the power of its priority."""

FORMATS = ("table", "json", "ndjson", "csv")

job_argument = click.argument("job", metavar="JOB", shell_complete=complete.jobs)

source_argument = click.argument(
    "sources", metavar="[SOURCE]...", nargs=-1, shell_complete=complete.paths
)

format_option = click.option(
    "--format",
    "form",
    type=click.Choice(FORMATS),
    help="How to print.  [default: table on a terminal, ndjson elsewhere]",
)

raw_option = click.option(
    "--raw",
    is_flag=True,
    help="Leave text in CSV as it is, even if a spreadsheet would take it for a formula.",
)

watch_option = click.option("--watch", is_flag=True, help="Keep showing it until it ends.")

_MORE_JOB_OPTIONS = (
    click.option(
        "--like",
        metavar="JOB",
        shell_complete=complete.jobs,
        help="Take over what is not said here from another job: its id, the start of it, `latest` "
        "or its name; its manifest.json, as a path or URL; or a job file.",
    ),
    click.option(
        "--save",
        type=click.Path(dir_okay=False, path_type=Path),
        help="Only write a job file of what was asked; `regatta run FILE` does it.",
    ),
    click.option(
        "--dry-run",
        is_flag=True,
        help="Only say what would be done, and how long it would take as far as is known.",
    ),
    click.option(
        "--price-per-hour",
        "price",
        type=Number(min=0),
        help="What a worker costs an hour: --dry-run says what the job would.",
    ),
)


class JobCommand(click.Command):
    """A command with a job's options.

    `--annotate` was a switch once: alone it stands for all, and `--no-annotate` for none.
    """

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Read the arguments; the switch is written out."""
        for place, word in enumerate(args):
            if word == "--":
                break
            if word == "--no-annotate":
                args[place] = "--annotate=none"
            elif word == "--annotate" and not _says_which(args[place + 1 :][:1]):
                args[place] = "--annotate=all"
        return super().parse_args(ctx, args)


def _says_which(words: list[str]) -> bool:
    """Return whether the word after `--annotate` belongs to it; it may be a source instead."""
    word = words[0].lower() if words else ""
    return word in {"all", "none"} or word.startswith("sample:")


def job_options(command: F) -> F:
    """Add the options that describe a job (`core.request`) to a command."""
    for option in reversed((*map(click_option, OPTIONS.values()), *_MORE_JOB_OPTIONS)):
        command = option(command)
    return command
