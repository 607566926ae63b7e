"""Jobs that cannot go on for the moment, so that they hold up nobody else."""

import time
from collections.abc import Callable
from dataclasses import dataclass

_FIRST_PAUSE = 1.0
_LONGEST_PAUSE = 10.0


@dataclass(slots=True)
class _Trouble:
    since: float
    pause: float
    until: float
    error: str


class Troubles:
    """Leaves a job alone for a while whenever a step of it fails: 1, 2, 4 ... 10 seconds.

    `monotonic` is the clock; tests pass their own. Not to be shared between threads.
    """

    def __init__(self, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._monotonic = monotonic
        self._by_job: dict[str, _Trouble] = {}

    def resting(self) -> set[str]:
        """Return the jobs to leave alone for now."""
        now = self._monotonic()
        return {job for job, trouble in self._by_job.items() if now < trouble.until}

    def note(self, job_id: str, error: str) -> None:
        """Note why a step of this job has failed."""
        now = self._monotonic()
        before = self._by_job.get(job_id)
        pause = _FIRST_PAUSE if before is None else min(_LONGEST_PAUSE, before.pause * 2)
        since = now if before is None else before.since
        self._by_job[job_id] = _Trouble(since, pause, now + pause, error)

    def mended(self, job_id: str) -> bool:
        """Note that a step has succeeded; return whether the last one had failed."""
        return self._by_job.pop(job_id, None) is not None

    def error(self, job_id: str) -> str | None:
        """Return why the job's last step failed, or None if it did not."""
        trouble = self._by_job.get(job_id)
        return None if trouble is None else trouble.error

    def seconds(self, job_id: str) -> float:
        """Return for how long the job's steps have been failing, in seconds."""
        trouble = self._by_job.get(job_id)
        return 0.0 if trouble is None else self._monotonic() - trouble.since
