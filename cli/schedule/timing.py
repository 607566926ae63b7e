"""What a schedule has besides its job: the options that say when, how often, and what is kept."""

from collections.abc import Callable, Mapping
from typing import Any, TypeVar

import click

from cli import complete
from cli.options import Written, click_option
from core.errors import UsageError
from core.near import did_you_mean
from core.option import Kind, Option
from core.request import OPTIONS
from core.schedule import CatchUp, Mode, Overlap, Schedule
from core.values import read_value

_DAY = 86_400.0
_OVERLAPS = tuple(map(str, Overlap))

F = TypeVar("F", bound=Callable[..., Any])

_OPTIONS = (
    Option(
        "cron",
        "When: minute, hour, day of the month, month, day of the week, as cron has them; or @daily "
        "and the like.",
        metavar="'0 2 * * *'",
    ),
    Option(
        "tz",
        "The time zone that --cron and --until are in, such as Europe/Berlin.",
        metavar="ZONE",
        otherwise="UTC",
    ),
    Option(
        "mode",
        "What a run does: everything, or what is new or changed since the last run; its results "
        "are complete in both cases.",
        choices=tuple(map(str, Mode)),
        otherwise=Mode.ALL.value,
    ),
    Option(
        "catch-up",
        "Which of the times are made up for that passed while no scheduler was up.",
        choices=tuple(map(str, CatchUp)),
        otherwise=CatchUp.LAST.value,
    ),
    Option(
        "overlap",
        "What happens if the previous run has not ended when the next is due.",
        choices=_OVERLAPS,
        otherwise=Overlap.SKIP.value,
    ),
    Option(
        "until",
        "The end of each run's window: what is unfinished is paused, and goes on in the next one.",
        metavar="HH:MM",
        otherwise="when it is done",
    ),
    Option(
        "keep",
        "How many of its ended runs stay, with their output; the others are removed.",
        kind=Kind.WHOLE,
        least=1,
        otherwise="all of them",
    ),
    Option(
        "keep-days",
        "Runs that ended in so many days stay, too.",
        kind=Kind.NUMBER,
        least=0.01,
        metavar="DAYS",
    ),
)

TIMING: Mapping[str, Option] = {each.key: each for each in _OPTIONS}
"""The options by their Python names, which are not all those of a `Schedule`'s fields."""

_OVERLAP = "overlap"  # also the share by which the tiles of --slice overlap
_WORDS = {"mode": Mode, "catch_up": CatchUp, "overlap": Overlap}
_FIELDS = {"tz": "timezone", "keep": "keep_runs", "keep_days": "keep_seconds"}


def schedule_options(command: F) -> F:
    """Add the options of a schedule, and those of the job that it submits, to a command."""
    for option in reversed(
        (
            *(click_option(each) for each in _OPTIONS if each.name != _OVERLAP),
            _overlap_option,
            *(click_option(each) for each in OPTIONS.values() if each.key != _OVERLAP),
            click.option(
                "--like",
                metavar="JOB",
                shell_complete=complete.jobs,
                help="Take over what is not said here from a job (its id, the start of it, "
                "`latest`, its name), its manifest.json, or a job file.",
            ),
        )
    ):
        command = option(command)
    return command


def _word_or_share(text: str) -> str | float:
    if text.lower() in _OVERLAPS:
        return text.lower()
    try:
        share = float(text)
    except ValueError:
        near = did_you_mean(text, _OVERLAPS)
        raise ValueError(
            f"{text!r} is none of {', '.join(_OVERLAPS)}, nor a share of a tile"
            + (f"; {near}" if near else "")
        ) from None
    try:
        OPTIONS[_OVERLAP].check(share)
    except UsageError as error:
        raise ValueError(str(error)) from None
    return share


_overlap_option = click.option(
    f"--{_OVERLAP}",
    type=Written("skip|queue|cancel-previous", _word_or_share),
    metavar="skip|queue|cancel-previous",
    multiple=True,
    help="What happens if the previous run has not ended when the next is due.  [default: skip] "
    f"A number is something else, for --slice: {OPTIONS[_OVERLAP].help}",
)


def split_overlap(ctx: click.Context) -> str | None:
    """Take the word that `--overlap` says about runs off its share of tiles; return the word."""
    said = ctx.params.pop(_OVERLAP, ())
    words = [each for each in said if isinstance(each, str)]
    shares = [each for each in said if not isinstance(each, str)]
    if shares:
        ctx.params[_OVERLAP] = shares[-1]
    return words[-1] if words else None


def read_table(table: Mapping[str, Any]) -> dict[str, Any]:
    """Return what the `[schedule]` of a job file says, by the names in `TIMING`.

    Raises:
        UsageError: a key is unknown, or its value is none that it takes.
    """
    said = {}
    for key, value in table.items():
        each = TIMING.get(key.replace("-", "_"))
        if each is None:
            names = [each.name for each in _OPTIONS]
            raise UsageError(
                f"[schedule]: {key!r} is not an option of a schedule",
                hint=did_you_mean(key, names) or f"there are {', '.join(names)}",
            )
        try:
            said[each.key] = read_value(each, value)
        except ValueError as error:
            raise UsageError(f"[schedule]: {key}: {error}") from error
        each.check(said[each.key])
    return said


def as_fields(said: Mapping[str, Any]) -> dict[str, Any]:
    """Return the fields of a `Schedule` for values by the names in `TIMING`.

    Raises:
        UsageError: a value is out of bounds.
    """
    fields = {}
    for name, value in said.items():
        TIMING[name].check(value)
        if name in _WORDS:
            value = _WORDS[name](value)  # noqa: PLW2901 - the same in another type
        elif name == "keep_days":
            value *= _DAY  # noqa: PLW2901
        fields[_FIELDS.get(name, name)] = value
    return fields


def as_said(schedule: Schedule) -> dict[str, Any]:
    """Return what a schedule has, by the names in `TIMING`; what it leaves open is None."""
    said = {name: getattr(schedule, _FIELDS.get(name, name)) for name in TIMING}
    if said["keep_days"] is not None:
        said["keep_days"] /= _DAY
    return {name: str(value) if name in _WORDS else value for name, value in said.items()}
