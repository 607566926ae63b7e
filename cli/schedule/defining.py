"""What `schedule add` and `schedule edit` share: the schedule that their arguments make."""

from collections.abc import Iterable, Mapping
from typing import Any

import click

from cli.request import asked_for, check_commands, job_defaults, typed
from cli.schedule.timing import TIMING, as_fields, as_said, read_table, split_overlap
from cli.session import say
from config.settings import Settings
from core.errors import UsageError
from core.near import did_you_mean
from core.request import OPTIONS, JobRequest
from core.schedule import Schedule
from scheduler import schedules
from scheduler.schedules import Drafted
from store.database import Database

_UTC = "UTC"


def new_schedule(
    ctx: click.Context,
    db: Database,
    settings: Settings,
    sources: tuple[str, ...],
    like: str | None,
) -> Drafted:
    """Return the checked schedule that a command's arguments make, and say what it left out.

    What was typed wins over a job file given as the only source, which wins over `like`.

    Raises:
        click.UsageError: the source is missing.
        UsageError: its times or its job cannot be as they stand.
    """
    word = split_overlap(ctx)
    asked = asked_for(ctx, db, sources, like)
    timing = {"tz": _UTC} | read_table(asked.schedule) | _typed_timing(ctx, word)
    if "cron" not in timing:
        raise UsageError(
            "Missing option '--cron'.", hint="--cron '0 2 * * *' is every day at 02:00"
        )
    return _checked(db, settings, Schedule(request=asked.request, **as_fields(timing)))


def edited(
    ctx: click.Context,
    db: Database,
    settings: Settings,
    before: Schedule,
    sources: tuple[str, ...],
    like: str | None,
    unset: Iterable[str],
) -> Drafted:
    """Return a schedule with what was typed changed, checked; a job file brings a job of its own.

    Raises:
        UsageError: its times or its job cannot be as they stand.
    """
    word = split_overlap(ctx)
    is_file = any(source.lower().endswith(".toml") for source in sources)
    timing = _typed_timing(ctx, word)
    if is_file or like is not None:
        asked = asked_for(ctx, db, sources, like)
        request, timing = asked.request, read_table(asked.schedule) | timing
    else:
        said = typed(ctx)
        kept = before.request.said
        request = JobRequest(
            sources or before.request.sources,
            {**kept, **said},
            frozenset(kept.keys() - said.keys()),
        )
    known = {name: value for name, value in as_said(before).items() if value is not None} | timing
    for name in unset:
        request, known = _without(name, request, known)
    return _checked(db, settings, Schedule(request=request, **as_fields(known)))


def _checked(db: Database, settings: Settings, schedule: Schedule) -> Drafted:
    """Return a schedule as it would be kept, and say what was left out of it.

    Raises:
        UsageError: it cannot be as it stands.
    """
    check_commands(schedule.request.said, settings)
    drafted = schedules.drafted(db, schedule, job_defaults(settings))
    for why in drafted.draft.dropped:
        say(f"left out: {why}")
    return drafted


def _typed_timing(ctx: click.Context, overlap: str | None) -> dict[str, Any]:
    said = typed(ctx, {name: each for name, each in TIMING.items() if name != "overlap"})
    return said if overlap is None else {**said, "overlap": overlap}


def _without(
    name: str, request: JobRequest, timing: Mapping[str, Any]
) -> tuple[JobRequest, dict[str, Any]]:
    """Return a request and a timing with one option left open again."""
    key = name.removeprefix("--").replace("-", "_")
    if key in {"cron", "model"}:
        raise UsageError(f"a schedule needs --{key}", hint=f"say another one: --{key}")
    if key in TIMING:
        left = {other: value for other, value in timing.items() if other != key}
        return request, ({"tz": _UTC} | left)
    if key not in OPTIONS:
        names = [each.name for each in (*TIMING.values(), *OPTIONS.values())]
        raise UsageError(
            f"--unset: there is no option {name!r}",
            hint=did_you_mean(name, names) or "`regatta schedule edit --help` lists them",
        )
    return request.without(key), dict(timing)
