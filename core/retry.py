"""Decides what happens to a shard whose run failed."""

from dataclasses import dataclass
from enum import StrEnum

_FIRST_DELAY = 1.0
LONGEST_DELAY = 60.0
"""No shard is made to wait longer than this, in seconds."""

_BLOCKED_DELAY = 10.0
_DOUBLINGS = 6  # beyond this, only the exponent would grow


class Failure(StrEnum):
    """Why a run of a shard ended without a result."""

    HANDED_BACK = "handed_back"  # drained or paused
    RETRYABLE = "retryable"  # network, disk or server trouble
    BLOCKED = "blocked"  # affects every shard until somebody acts
    LEASE_LOST = "lease_lost"  # no progress in time, but its process is alive
    PROCESS_DIED = "process_died"  # its process is gone


@dataclass(frozen=True, slots=True)
class RunAgain:
    """Back to pending, after `delay` seconds; `as_suspect` in an isolated one-slot process."""

    delay: float
    counts: bool
    as_suspect: bool


@dataclass(frozen=True, slots=True)
class GiveUp:
    """The shard is out of tries."""


def decide(failure: Failure, *, tries: int, max_tries: int) -> RunAgain | GiveUp:
    """Decide from the number of tries so far, the failed one included.

    Tries are counted before a run begins, so whatever kills the process has been counted. A
    hand-back returns its try, and so does a failure that any shard would have had. Delays double:
    1, 2, 4 ... 60 seconds.
    """
    if failure is Failure.HANDED_BACK:
        return RunAgain(delay=0.0, counts=False, as_suspect=False)
    if failure is Failure.BLOCKED:
        return RunAgain(delay=_BLOCKED_DELAY, counts=False, as_suspect=False)
    if tries >= max_tries:
        return GiveUp()
    delay = min(LONGEST_DELAY, _FIRST_DELAY * 2.0 ** min(tries - 1, _DOUBLINGS))
    return RunAgain(delay=delay, counts=True, as_suspect=failure is Failure.PROCESS_DIED)
