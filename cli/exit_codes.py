"""The codes that commands exit with."""

from core.states import JobState

OK, FAILED, USAGE, PARTIAL, CANCELLED, INTERRUPTED = 0, 1, 2, 3, 4, 130

_BY_STATE = {
    JobState.SUCCEEDED: OK,
    JobState.FAILED: FAILED,
    JobState.PARTIAL: PARTIAL,
    JobState.CANCELLED: CANCELLED,
}


def exit_code(state: str) -> int:
    """Return the exit code of a command that waited for a job which ended in this state."""
    return _BY_STATE[JobState(state)]
