"""Dismissals: quarantined items that a person has looked at, and that are no trouble any more."""

from collections.abc import Collection, Iterable, Mapping, Sequence

from sqlalchemy import delete, func, select
from sqlalchemy.orm import Session

from store.rows import column_text, new_or_known
from store.tables import Dismissal, Job


def dismiss(
    session: Session, job_id: str, items: Mapping[int, str], reason: str, *, now: float
) -> None:
    """Dismiss items, by their positions; those that were dismissed before get the new reason."""
    for index, item in items.items():
        said = {"item": item, "reason": column_text(reason), "dismissed_at": now}
        row = {"job_id": job_id, "item_index": index, **said}
        known = ["job_id", "item_index"]
        session.execute(
            new_or_known(session, Dismissal, row).on_conflict_do_update(
                index_elements=known, set_=said
            )
        )


def forget_dismissals(session: Session, job_id: str, items: Collection[int] | None = None) -> None:
    """Take back dismissals: of the items at these positions, or all of a job's."""
    which = delete(Dismissal).where(Dismissal.job_id == job_id)
    for some in [None] if items is None else _portions(items):
        these = which if some is None else which.where(Dismissal.item_index.in_(some))
        session.execute(these)


def dismissals_of(session: Session, job_id: str) -> dict[int, Dismissal]:
    """Return the dismissals of a job, by the positions of the items."""
    rows = session.scalars(select(Dismissal).where(Dismissal.job_id == job_id)).all()
    return {row.item_index: row for row in rows}


def dismissed(session: Session, jobs: Iterable[Job]) -> dict[str, int]:
    """Return how many items of jobs are dismissed, by id; without those that have none."""
    rows = session.execute(
        select(Dismissal.job_id, func.count())
        .where(Dismissal.job_id.in_([job.id for job in jobs]))
        .group_by(Dismissal.job_id)
    )
    return {row[0]: row[1] for row in rows}


_PORTION = 500  # parameters, of which databases take a limited number


def _portions(items: Collection[int]) -> Iterable[Sequence[int]]:
    numbers = sorted(items)
    return (numbers[n : n + _PORTION] for n in range(0, len(numbers), _PORTION))
