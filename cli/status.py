"""`regatta status`: how a job, or everything under way, is going."""

import click

from cli import complete
from cli.exit_codes import exit_code
from cli.jobs import print_jobs
from cli.options import format_option, watch_option
from cli.session import job_of, live_processes, opened, say, warn_if_nobody_schedules
from cli.show.output import cell, chosen, print_object
from cli.show.pipe import for_a_reader
from cli.show.progress import fleet_of, progress_view
from cli.show.progress import watch as wait_for
from cli.show.wording import (
    compacted,
    device_left_out,
    dismissed_of,
    eta,
    plain_networks,
    queue_line,
    stages_line,
    tallied,
    told,
    waiting_for,
    worker_line,
)
from config.settings import Settings
from core.passed_over import in_words
from core.states import ENDED_JOBS, RESTING_JOBS, JobState
from core.wording import count, speed
from report.snapshot import Snapshot, snapshot, snapshots
from store import processes
from store.database import Database
from store.jobs import list_jobs


@click.command(epilog="Example: regatta status latest --watch")
@click.argument("job", required=False, shell_complete=complete.jobs)
@watch_option
@format_option
@click.pass_context
def status(ctx: click.Context, /, *, job: str | None, watch: bool, form: str | None) -> None:
    """Show how JOB, or everything under way, is going.

    JOB is a job's name, its id or the start of it, or `latest`. With --watch, the exit code is the
    job's.
    """
    with opened() as (settings, db):
        if job is None:
            if watch:
                raise click.UsageError("--watch needs a JOB", ctx)
            _overview(db, settings, chosen(form))
            return
        found = job_of(db, job)
        if found.state not in RESTING_JOBS:
            warn_if_nobody_schedules(db, settings)
        if watch:
            with progress_view() as view:
                wait_for(db, settings, found.id, view, with_fleet=True)
        seen = snapshot(db, settings, found.id)
        with for_a_reader():
            _print(seen, chosen(form))
        if watch:
            ctx.exit(exit_code(seen["state"]))


def _overview(db: Database, settings: Settings, form: str) -> None:
    alive = [state for state in JobState if state not in ENDED_JOBS]
    found = db.read(lambda s: list_jobs(s, states=alive, compactions=True))
    seen = snapshots(db, settings, found)
    if seen or form != "table":
        print_jobs(seen, form)
    else:
        say("no job is under way")
    for role in (processes.SCHEDULER, processes.WORKER):
        say(f"{count(len(live_processes(db, settings, role)), role)} alive")
    now = fleet_of(db, settings)
    for line in (*map(queue_line, now["queues"]), *map(worker_line, now["workers"])):
        say(f"  {line}")
    unserved = set()
    for job in seen:
        if job["needs_newer"] or job["profile_without_worker"] or job["trouble"]:
            say(f"{job['id']}: {waiting_for(job)}")
        elif job["queue_without_consumer"]:
            unserved.add(job["queue_without_consumer"])
    for queue in sorted(unserved):
        say(f"no live worker serves the queue {queue!r}, but jobs wait for it")
    for said in dict.fromkeys(device_left_out(each) for job in seen for each in job["left_out"]):
        say(said)


def _print(seen: Snapshot, form: str) -> None:
    if form != "table":
        print_object(seen, form)
        return
    words = {
        **{name: seen[name] for name in ("id", "name", "model", "source", "output", "state")},
        "items": tallied(seen["items"]),
        "dismissed": dismissed_of(seen),
        "since": seen["since"],
        "compared": seen["comparison"] and seen["comparison"]["words"],
        "passed over": list(in_words(seen["passed_over"])),
        "warning": seen["warnings"],
        "shards": tallied(seen["shards"]),
        "rate": speed(seen["rate"]),
        "work": stages_line(seen),
        "compacted": compacted(seen),
        "eta": eta(seen).removeprefix("ETA "),
        "runs plain": plain_networks(seen),
        **{name: seen[name] for name in ("priority", "created", "started", "finished")},
        "told": [told(each) for each in seen["notifications"]],
        "paused" if seen["state"] == JobState.PAUSED else "error": seen["error"],
    }
    width = max(map(len, words))
    for name, value in words.items():
        if value not in (None, {}, []):
            click.echo(f"{name.ljust(width)}  {cell(value)}")
    if waiting := waiting_for(seen):
        say(waiting)
    elif seen["left_out"]:
        say("; ".join(map(device_left_out, seen["left_out"])))
