"""`regatta jobs`: lists the jobs."""

import click

from cli import complete
from cli.options import format_option
from cli.prune import said
from cli.session import job_of, opened, say
from cli.show.output import chosen, print_records
from cli.show.wording import done_of
from core.states import JobState
from core.times import to_the_second
from report.snapshot import Snapshot, snapshots
from scheduler.removal import remove_job
from store.jobs import list_jobs

_COLUMNS = (
    "id",
    "name",
    "model",
    "state",
    "items",
    "done",
    "quarantined",
    "carried",
    "priority",
    "created",
)


@click.group(
    invoke_without_command=True,
    epilog="Example: regatta jobs --state running --state planning; regatta jobs rm 4k2",
)
@click.option(
    "--state",
    "states",
    multiple=True,
    type=click.Choice([state.value for state in JobState]),
    help="Only jobs in this state.",
)
@click.option("--tag", help="Only jobs with this tag.")
@click.option("--all", "all_", is_flag=True, help="Also those that compact other jobs.")
@click.option("--limit", type=click.IntRange(min=1), default=50, show_default=True)
@format_option
@click.pass_context
def jobs(
    ctx: click.Context,
    /,
    *,
    states: tuple[str, ...],
    tag: str | None,
    all_: bool,
    limit: int,
    form: str | None,
) -> None:
    """List jobs, newest first."""
    if ctx.invoked_subcommand is not None:
        return
    with opened() as (settings, db):
        wanted = [JobState(state) for state in states]
        most = None if tag else limit
        found = db.read(lambda s: list_jobs(s, states=wanted, limit=most, compactions=all_))
        if tag:
            found = [job for job in found if tag in job.tags][:limit]
        form = chosen(form)
        if form == "table" and not found:
            none = "there are no such jobs"
            first = "there are no jobs yet: regatta submit SOURCE --model M"
            say(none if states or tag else first)
            return
        print_jobs(snapshots(db, settings, found), form)


@jobs.command(epilog="Example: regatta jobs rm 4k2; regatta jobs rm latest --with-output")
@click.argument("refs", nargs=-1, required=True, metavar="JOB...", shell_complete=complete.jobs)
@click.option("--with-output", is_flag=True, help="Also remove the results and pictures.")
def rm(*, refs: tuple[str, ...], with_output: bool) -> None:
    """Remove each JOB, which must have ended; its output stays unless --with-output is given.

    What compacts it goes with it.

    A job to which another refers, such as one whose pictures were drawn again, stays until that
    one is removed.
    """
    with opened() as (_, db):
        found = [job_of(db, ref) for ref in refs]
        for job in {job.id: job for job in found}.values():  # one may be named twice
            removed = remove_job(db, job.id, with_output=with_output)
            what = said(removed) if with_output else f"its output stays in {job.output}"
            say(f"removed job {job.id}: {what}")


def print_jobs(found: list[Snapshot], form: str) -> None:
    """Print snapshots, one job a line."""
    flat = found if form in {"json", "ndjson"} else [_flat(job) for job in found]
    print_records(flat, _COLUMNS, form)
    for job in found:
        if job["state"] == JobState.PAUSED and job["error"]:
            say(f"{job['id']} is paused: {job['error']}")


def _flat(job: Snapshot) -> Snapshot:
    items = job["items"]
    return {
        **job,
        "items": items["listed"],
        "done": done_of(job),
        "carried": items.get("carried") or None,
        "quarantined": items["quarantined"],
        "created": to_the_second(job["created"]),
    }
