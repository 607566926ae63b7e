"""The runs of a schedule that its limits would remove, and why they stay."""

from scheduler.old_runs import excess, limits_of
from scheduler.removal import why_kept
from store.database import Database
from store.tables import Schedule


def stays(db: Database, row: Schedule) -> dict[str, str]:
    """Return why runs are still there that exceed what a schedule keeps, by their jobs."""
    limits = limits_of(row)
    if limits is None:
        return {}
    found = {job.id: why_kept(db, job, with_output=True) for job in excess(db, row.id, *limits)}
    return {job: why or "it is removed in a few minutes" for job, why in found.items()}
