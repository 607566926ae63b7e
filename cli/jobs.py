"""`regatta jobs`: lists the jobs."""

import click

from cli.options import format_option
from cli.session import opened, say
from cli.show.output import chosen, print_records
from cli.show.wording import done_of
from core.states import JobState
from report.snapshot import Snapshot, snapshots
from store.jobs import list_jobs

_COLUMNS = ("id", "name", "model", "state", "items", "done", "quarantined", "priority", "created")


@click.command(epilog="Example: regatta jobs --state running --state planning")
@click.option(
    "--state",
    "states",
    multiple=True,
    type=click.Choice([state.value for state in JobState]),
    help="Only jobs in this state.",
)
@click.option("--tag", help="Only jobs with this tag.")
@click.option("--limit", type=click.IntRange(min=1), default=50, show_default=True)
@format_option
def jobs(*, states: tuple[str, ...], tag: str | None, limit: int, form: str | None) -> None:
    """List jobs, newest first."""
    with opened() as (settings, db):
        wanted = [JobState(state) for state in states]
        found = db.read(lambda s: list_jobs(s, states=wanted, limit=None if tag else limit))
        if tag:
            found = [job for job in found if tag in job.tags][:limit]
        print_jobs(snapshots(db, settings, found), chosen(form))


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
        "quarantined": items["quarantined"],
        "created": str(job["created"])[:19],
    }
