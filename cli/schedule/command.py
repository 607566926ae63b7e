"""`regatta schedule`: jobs that are submitted again and again, by the clock."""

import sys
from typing import Any

import click

from cli import complete
from cli.options import JobCommand, format_option, source_argument
from cli.schedule.by_hand import run_now
from cli.schedule.defining import edited, new_schedule
from cli.schedule.stays import stays
from cli.schedule.timing import schedule_options
from cli.schedule.wording import (
    changes,
    fire_records,
    first_and_last,
    in_words,
    in_zone,
    line,
    local,
    revision_records,
    schedule_record,
    times_of,
    when,
)
from cli.session import live_processes, opened, say
from cli.show.output import chosen, print_object, print_records
from config.settings import Settings
from core.errors import RetryableError, UsageError
from core.schedule import Schedule, ScheduleState, check_name
from core.times import iso
from core.wording import count
from scheduler import schedules as setting_up
from store import processes, schedules
from store.database import Database

_TIMES = 3
_FIRES = 50

name_argument = click.argument("called", metavar="NAME", shell_complete=complete.schedules)


@click.group(
    epilog="""\b
Example: regatta schedule add nightly photos/ --model picodet --cron "0 2 * * *"
Example: regatta schedule history nightly"""
)
def schedule() -> None:
    """Submit a job again and again, by the clock.

    Schedules fire while a scheduler runs: keep `regatta up` (or `regatta scheduler`, with workers)
    running. What passes meanwhile is made up for as --catch-up says.
    """


@schedule.command(
    cls=JobCommand,
    epilog="""\b
Example: regatta schedule add nightly photos/ --model picodet --cron "0 2 * * *"
Example: regatta schedule add nightly s3://bucket/in/ --model boats --cron "0 2 * * 1-5" \\
           --tz Europe/Berlin --mode new-only --until 06:00 --keep 14
Example: regatta schedule add nightly job.toml
Example: regatta schedule add nightly --like latest --cron @daily""",
)
@click.argument("called", metavar="NAME")
@source_argument
@schedule_options
@click.option("--dry-run", is_flag=True, help="Only check everything, and say when it would fire.")
@click.pass_context
def add(
    ctx: click.Context,
    /,
    *,
    called: str,
    sources: tuple[str, ...],
    like: str | None,
    dry_run: bool,
    **_: Any,
) -> None:
    """Submit a job over SOURCE whenever --cron says, under a NAME of the schedule's own.

    SOURCE is what `regatta submit` takes; a job file (.toml) may have a table [schedule] with the
    options below. Everything that can be checked without work is checked now. The model is looked
    up by its name at each fire, so that `models add --replace` takes effect. The jobs are called
    like the schedule, unless --name says otherwise; below an --output, each has a folder of its
    own.

    Schedules fire while `regatta up` or `regatta scheduler` runs.
    """
    with opened() as (settings, db):
        asked = new_schedule(ctx, db, settings, sources, like)
        if dry_run:
            check_name(called)
            _say_when(f"schedule {called} would fire", asked.schedule, now=db.read(db.now))
            return
        row = setting_up.add(db, called, asked)
        _say_registered(asked)
        _say_when(f"schedule {called}", asked.schedule, now=row.created_at)
        _warn_if_nobody_fires(db, settings)


@schedule.command("list", epilog="Example: regatta schedule list --format json")
@format_option
def list_(*, form: str | None) -> None:
    """List the schedules: when they fire, and what came of their last run."""
    form = chosen(form)
    with opened() as (_, db):
        found = db.read(
            lambda s: [
                schedule_record(s, row, now=db.now(s)) for row in schedules.list_schedules(s)
            ]
        )
    if form == "table" and not found:
        say("there are no schedules yet: regatta schedule add NAME SOURCE --model M --cron @daily")
        return
    if form == "table":
        columns: tuple[str, ...] = ("name", "when", "next", "last", "outcome")
        found = [line(each) for each in found]
    else:
        columns = ("name", "state", "when", "next", "last", "outcome")
        found = [{**each, **first_and_last(each)} for each in found] if form == "csv" else found
    print_records(found, columns, form)


@schedule.command(epilog="Example: regatta schedule show nightly --format json")
@name_argument
@format_option
def show(*, called: str, form: str | None) -> None:
    """Show everything about a schedule: its job, its times, what it keeps, its last run."""
    form = chosen(form)
    with opened() as (_, db):
        row = db.read(lambda s: schedules.find(s, called))
        record = db.read(lambda s: schedule_record(s, row, now=db.now(s), times=_TIMES))
        record["stays"] = stays(db, row)
    print_object(in_words(record) if form == "table" else record, form)


@schedule.command(
    cls=JobCommand,
    epilog="""\b
Example: regatta schedule edit nightly --cron "0 3 * * *"
Example: regatta schedule edit nightly --threshold 0.4 --unset until
Example: regatta schedule edit nightly photos/ more/""",
)
@name_argument
@source_argument
@schedule_options
@click.option(
    "--unset",
    multiple=True,
    metavar="OPTION",
    help="Leave this option open again (until, keep, threshold).",
)
@click.pass_context
def edit(
    ctx: click.Context,
    /,
    *,
    called: str,
    sources: tuple[str, ...],
    like: str | None,
    unset: tuple[str, ...],
    **_: Any,
) -> None:
    """Change what is said here about a schedule; the rest stays, as does its history.

    Runs that have begun go on as they are; the next one is as the schedule says then.
    """
    with opened() as (settings, db):
        row = db.read(lambda s: schedules.find(s, called))
        before = schedules.definition_of(row)
        drafted = edited(ctx, db, settings, before, sources, like, unset)
        after = drafted.schedule
        if after.to_json() == before.to_json():
            raise UsageError(
                f"nothing about schedule {called} would change",
                hint="say what is to change, for example --cron '0 3 * * *'",
            )
        setting_up.edit(db, row, drafted)
        _say_registered(drafted)
        say(f"changed {called}: {changes(before, after)}")
        if row.state == ScheduleState.PAUSED:
            say(f"it is paused; `regatta schedule resume {called}` lets it fire")
            return
        _say_when(f"schedule {called}", after, now=db.read(db.now))
        _warn_if_nobody_fires(db, settings)


@schedule.command(epilog="Example: regatta schedule pause nightly")
@name_argument
def pause(*, called: str) -> None:
    """Keep a schedule from firing until it is resumed; a run under way goes on."""
    with opened() as (_, db):
        row = db.read(lambda s: schedules.find(s, called))
        if not db.write(lambda s: schedules.pause(s, row.id, now=db.now(s))):
            raise UsageError(
                f"schedule {called} is paused already",
                hint=f"`regatta schedule resume {called}` lets it fire again",
            )
        say(f"schedule {called} is paused; go on with: regatta schedule resume {called}")


@schedule.command(epilog="Example: regatta schedule resume nightly")
@name_argument
def resume(*, called: str) -> None:
    """Let a paused schedule fire again; what it missed meanwhile is not made up for."""
    with opened() as (settings, db):
        row = db.read(lambda s: schedules.find(s, called))
        if not setting_up.resume(db, row):
            raise UsageError(f"schedule {called} is not paused")
        _say_when(f"schedule {called}", schedules.definition_of(row), now=db.read(db.now))
        _warn_if_nobody_fires(db, settings)


@schedule.command(epilog="Example: regatta schedule remove nightly --yes")
@name_argument
@click.option("--yes", is_flag=True, help="Don't ask.")
def remove(*, called: str, yes: bool) -> None:
    """Remove a schedule and its history; its jobs and their results stay."""
    with opened() as (_, db):
        row = db.read(lambda s: schedules.find(s, called))
        runs = len(db.read(lambda s: schedules.runs_of(s, row.id)))
        if sys.stdin.isatty() and not yes:
            click.confirm(f"Remove the schedule {called} and its history?", abort=True, err=True)
        db.write(lambda s: schedules.remove(s, row.id))
        what = f"; its {count(runs, 'job')} {'stays' if runs == 1 else 'stay'}" if runs else ""
        say(f"removed schedule {called}{what}")


@schedule.command(epilog="Example: regatta schedule run nightly --wait")
@name_argument
@click.option("--wait", is_flag=True, help="Keep showing the run until it ends.")
@click.pass_context
def run(ctx: click.Context, /, *, called: str, wait: bool) -> None:
    """Let a schedule fire now, even a paused one; its times stay as they are.

    The job is submitted by the scheduler (`regatta up`, `regatta scheduler`), as any other run.
    With --wait, the exit code is that of `regatta submit --watch`.
    """
    with opened() as (settings, db):
        row = db.read(lambda s: schedules.find(s, called))
        ctx.exit(run_now(db, settings, row, wait=wait))


@schedule.command(epilog="Example: regatta schedule history nightly")
@name_argument
@click.option("--limit", type=click.IntRange(min=1), default=_FIRES, show_default=True)
@click.option(
    "--revisions", is_flag=True, help="List the edits instead: what each of them changed."
)
@format_option
def history(*, called: str, limit: int, revisions: bool, form: str | None) -> None:
    """List what a schedule's times have brought, newest first; or its edits."""
    form = chosen(form)
    with opened() as (_, db):
        row = db.read(lambda s: schedules.find(s, called))
        zone = schedules.definition_of(row).timezone
        columns: tuple[str, ...]
        if revisions:
            found = revision_records(db.read(lambda s: schedules.revisions_of(s, row.id)))[:limit]
            columns = ("revision", "changed", "what")
        else:
            found = db.read(lambda s: fire_records(s, schedules.fires_of(s, row.id, limit=limit)))
            columns = ("due", "fired", "cause", "job", "outcome")
    is_table = form == "table"
    if is_table:
        found = [in_zone(each, zone) for each in found]
    print_records(found, columns, form)
    if is_table and not found:
        say(f"schedule {called} has not fired yet")


@schedule.command("next", epilog="Example: regatta schedule next nightly -n 5")
@name_argument
@click.option("-n", "number", type=click.IntRange(1, 1000), default=_TIMES, show_default=True)
@format_option
def next_(*, called: str, number: int, form: str | None) -> None:
    """List the next times of a schedule, in its time zone and in UTC."""
    form = chosen(form)
    with opened() as (_, db):
        row = db.read(lambda s: schedules.find(s, called))
        definition = schedules.definition_of(row)
        now = db.read(db.now)
    if row.state == ScheduleState.PAUSED:
        say(f"schedule {called} is paused: it fires at none of these until it is resumed")
    print_records(
        (
            {"local": local(at, definition.timezone), "utc": iso(at)}
            for at in times_of(definition, after=now, most=number)
        ),
        ("local", "utc"),
        form,
    )


def _say_when(what: str, definition: Schedule, *, now: float) -> None:
    """Say when a schedule fires: in English, and the next times in its zone."""
    times = times_of(definition, after=now, most=_TIMES)
    say(f"{what}: {when(definition)}")
    say("next: " + ", ".join(str(local(at, definition.timezone)) for at in times))


def _say_registered(drafted: setting_up.Drafted) -> None:
    for name in drafted.registers:
        say(f"model {name} is registered now: each fire looks it up by this name")


def _warn_if_nobody_fires(db: Database, settings: Settings) -> None:
    """Warn if no scheduler is alive, without which no schedule fires."""
    try:
        if live_processes(db, settings, processes.SCHEDULER):
            return
    except RetryableError:
        return
    say("no scheduler is running: it fires while `regatta up` or `regatta scheduler` runs")
