"""The job with which another one is compared, so that only what is new is done."""

from core.errors import UsageError
from core.kinds import COUNT
from core.request import JobRequest
from core.sample import Sample
from core.states import ENDED_JOBS
from store.database import Database
from store.jobs import find_job, why_newer
from store.tables import Job


def why_not_since(job: Job) -> str | None:
    """Return why no job can be compared with this one; None if one can."""
    if job.kind not in COUNT:
        return f"job {job.id} is of the kind {job.kind!r}, which has no items of its own"
    if job.state not in ENDED_JOBS:
        return f"job {job.id} has not ended: it is {job.state}"
    if job.planned_at is None:
        return f"job {job.id} ended as {job.state} before its source was listed to the end"
    return why_newer(job)


def since(db: Database, request: JobRequest) -> Job | None:
    """Return the job with which a request's is to be compared, if any.

    Raises:
        UsageError: there is no such job, or it has not come to its end; or the request is at odds
            with itself.
    """
    ref = request.terms.since_job
    if ref is None:
        return None
    if request.terms.redo_on and isinstance(request.said.get("annotate"), Sample):
        raise UsageError(
            "--redo-on engine cannot go with a sample: what a job runs on is settled before its "
            "source is listed, and its sample afterwards",
            hint="leave one of them out",
        )
    job = db.read(lambda s: find_job(s, ref))
    if (why := why_not_since(job)) is not None:
        raise UsageError(why, hint="name one that has, or leave --since-job out")
    return job
