"""Who gets the next free slots: a share by priority, a pure decision."""

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Claimant:
    """A job with `ready` shards, of which it may have at most `room` more outstanding."""

    job_id: str
    priority: int
    ready: int
    outstanding: int
    room: int


def allocate(free: int, claimants: Sequence[Claimant]) -> dict[str, int]:
    """Share `free` slots so that outstanding shards are in proportion to 2^priority.

    Each slot goes to the job that has least for its weight, so that every job gets one before
    any gets its whole share; ties go to the higher priority, then to the earlier claimant.
    A job without ready shards or room leaves its share to the others.
    """
    given = {claimant.job_id: 0 for claimant in claimants}
    for _ in range(free):
        hungry = [c for c in claimants if given[c.job_id] < min(c.ready, c.room)]
        if not hungry:
            break
        poorest = min(
            hungry,
            key=lambda c: ((c.outstanding + given[c.job_id]) / 2.0**c.priority, -c.priority),
        )
        given[poorest.job_id] += 1
    return {job_id: slots for job_id, slots in given.items() if slots}
