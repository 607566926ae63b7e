"""What a job has done, in a few words."""

from core.comparison import Comparison
from core.states import JobState
from core.wording import count
from store.jobs import Tally
from store.tables import Job


def outcome(job: Job, counts: Tally) -> str:
    """Return a job's state, and what it has done so far: `succeeded: 12,431 unchanged, 210 new`."""
    return f"{job.state}: {_done(job, counts)}"


def _done(job: Job, counts: Tally) -> str:
    if job.state is JobState.FAILED and job.error:
        return job.error
    if job.comparison is not None:
        words = Comparison.from_json(job.comparison).words
    elif job.state in {JobState.SUCCEEDED, JobState.PARTIAL}:
        words = count(counts.listed, "item")
    else:
        words = f"{counts.succeeded + counts.skipped:,} of {count(counts.listed, 'item')}"
    if not counts.quarantined:
        return words
    return f"{words}{', ' if job.comparison is None else '; '}{counts.quarantined:,} quarantined"
