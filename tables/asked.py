"""Which results a query about some jobs is about."""

from store.compactions import compaction_of
from store.database import Database
from store.tables import Job
from store.view import view_of
from tables.sources import Asked, Files


def asked(db: Database, job: Job) -> Asked:
    """Return where the flat tables of all of a job's results so far come from."""
    compaction = db.read(lambda s: compaction_of(s, job))
    if compaction is not None:
        return Asked(job.id, Files(compaction.output, compaction.tables))
    return Asked(job.id, view_of(db, job))
