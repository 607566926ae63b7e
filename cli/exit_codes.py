"""From a job's last state to an exit code."""

from cli.failure import CANCELLED, FAILED, OK, QUARANTINED
from core.states import JobState

_CODES = {
    JobState.SUCCEEDED: OK,
    JobState.FAILED: FAILED,
    JobState.PARTIAL: QUARANTINED,
    JobState.CANCELLED: CANCELLED,
}


def exit_code(state: str) -> int:
    """Return the exit code of a command that waited for a job and saw it end like this."""
    return _CODES[JobState(state)]
