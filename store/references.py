"""References between jobs: which jobs read what another job made."""

from sqlalchemy import ColumnElement, delete, select
from sqlalchemy.orm import InstrumentedAttribute, Session

from store.rows import new_or_known
from store.tables import JobReference

REDRAWS = "redraws"
"""Why a job refers to that whose pictures it draws again."""

COMPACTS = "compacts"
"""Why a compaction refers to the job that it compacts, as long as it has not ended."""

COMPACTED = "compacted"
"""Why a job refers to its compaction, from then on."""

CARRIES = "carries"
"""Why a job refers to those whose results are part of its own view."""

COMPARES = "compares"
"""Why a job that is being planned refers to the one that it is compared with."""


def add(session: Session, job_id: str, refers_to: str, why: str) -> None:
    """Record that a job reads what another made; of several reasons, the last one counts."""
    reference = {"job_id": job_id, "refers_to": refers_to, "why": why}
    session.execute(
        new_or_known(session, JobReference, reference).on_conflict_do_update(
            index_elements=["job_id", "refers_to"], set_={"why": why}
        )
    )


def drop(session: Session, job_id: str, why: str) -> None:
    """Forget the references of a job for this reason."""
    session.execute(
        delete(JobReference).where(JobReference.job_id == job_id, JobReference.why == why)
    )


def let_go(session: Session, job_id: str, refers_to: str) -> None:
    """Record that a job no longer reads what another made."""
    session.execute(
        delete(JobReference).where(
            JobReference.job_id == job_id, JobReference.refers_to == refers_to
        )
    )


def references_of(session: Session, job_id: str) -> dict[str, str]:
    """Return why a job refers to others, by their ids."""
    return _why(session, JobReference.refers_to, JobReference.job_id == job_id)


def referring_to(session: Session, job_id: str) -> dict[str, str]:
    """Return why others refer to a job, by their ids: while any do, the job must stay."""
    return _why(session, JobReference.job_id, JobReference.refers_to == job_id)


def _why(
    session: Session, other: InstrumentedAttribute[str], which: ColumnElement[bool]
) -> dict[str, str]:
    found = session.execute(select(other, JobReference.why).where(which).order_by(other))
    return {row[0]: row[1] for row in found}
