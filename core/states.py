"""The states of jobs, shards and items, and the one table of moves between them.

Every change of state in the database is a compare-and-set along this table: an update that
names the move's sources and counts the rows it changed. Zero rows is an outcome that the
caller names (late, repeated, overtaken), not an exception.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import Generic, TypeVar


class JobState(StrEnum):
    """Where a job stands. The state drives; everything else about a job only reports."""

    PLANNING = "planning"  # its listing is still being read; shards planned so far already run
    RUNNING = "running"  # everything is planned
    PAUSED = "paused"  # nothing new starts; what ran was handed back
    CANCELLING = "cancelling"  # waiting for the last running shard to let go
    FAILING = "failing"  # the same after a fatal error
    SUCCEEDED = "succeeded"  # every item succeeded or was skipped
    PARTIAL = "partial"  # every item has ended, some of them quarantined
    FAILED = "failed"
    CANCELLED = "cancelled"


class ShardState(StrEnum):
    """Where a shard stands."""

    WAITING = "waiting"  # for the shards it depends on
    PENDING = "pending"  # may be queued once its time has come
    QUEUED = "queued"  # a message with its attempt was published, or is about to be
    RUNNING = "running"  # a worker holds its lease
    COMMITTED = "committed"  # what was staged is the result; its final keys may lag
    DONE = "done"  # the result lies under its final keys
    FAILED = "failed"  # out of tries; its items are quarantined with the reason
    CANCELLED = "cancelled"


class ItemState(StrEnum):
    """What became of an item. Pending items have no row anywhere but in their manifest."""

    SUCCEEDED = "succeeded"
    SKIPPED = "skipped"
    QUARANTINED = "quarantined"
    CANCELLED = "cancelled"


S = TypeVar("S", JobState, ShardState)


@dataclass(frozen=True, slots=True)
class Move(Generic[S]):
    """A named event that takes a thing in any of `sources` to `target`."""

    name: str
    sources: frozenset[S]
    target: S


class JobMoves:
    """The table of a job's moves."""

    PLANNED = Move("planned", frozenset({JobState.PLANNING}), JobState.RUNNING)
    PAUSE = Move("pause", frozenset({JobState.PLANNING, JobState.RUNNING}), JobState.PAUSED)
    RESUME_PLANNING = Move("resume_planning", frozenset({JobState.PAUSED}), JobState.PLANNING)
    RESUME = Move("resume", frozenset({JobState.PAUSED}), JobState.RUNNING)
    CANCEL = Move(
        "cancel",
        frozenset({JobState.PLANNING, JobState.RUNNING, JobState.PAUSED}),
        JobState.CANCELLING,
    )
    FAIL = Move(
        "fail",
        frozenset({JobState.PLANNING, JobState.RUNNING, JobState.PAUSED}),
        JobState.FAILING,
    )
    SUCCEED = Move("succeed", frozenset({JobState.RUNNING}), JobState.SUCCEEDED)
    END_PARTIAL = Move("end_partial", frozenset({JobState.RUNNING}), JobState.PARTIAL)
    END_CANCELLED = Move("end_cancelled", frozenset({JobState.CANCELLING}), JobState.CANCELLED)
    END_FAILED = Move("end_failed", frozenset({JobState.FAILING}), JobState.FAILED)
    # Retry leaves a terminal state on purpose and opens a new generation.
    REOPEN_PLANNING = Move(
        "reopen_planning", frozenset({JobState.FAILED, JobState.CANCELLED}), JobState.PLANNING
    )
    REOPEN = Move(
        "reopen",
        frozenset({JobState.PARTIAL, JobState.FAILED, JobState.CANCELLED}),
        JobState.RUNNING,
    )


class ShardMoves:
    """The table of a shard's moves."""

    UNBLOCK = Move("unblock", frozenset({ShardState.WAITING}), ShardState.PENDING)
    QUEUE = Move("queue", frozenset({ShardState.PENDING}), ShardState.QUEUED)
    # The job was paused, or the worker that got the message must not run it.
    RECALL = Move("recall", frozenset({ShardState.QUEUED}), ShardState.PENDING)
    CLAIM = Move("claim", frozenset({ShardState.QUEUED}), ShardState.RUNNING)
    # Drain or pause: nobody's fault, so the try is given back.
    HAND_BACK = Move("hand_back", frozenset({ShardState.RUNNING}), ShardState.PENDING)
    RETRY = Move("retry", frozenset({ShardState.RUNNING}), ShardState.PENDING)
    LAPSE = Move("lapse", frozenset({ShardState.RUNNING}), ShardState.PENDING)
    COMMIT = Move("commit", frozenset({ShardState.RUNNING}), ShardState.COMMITTED)
    PUBLISH = Move("publish", frozenset({ShardState.COMMITTED}), ShardState.DONE)
    EXHAUST = Move("exhaust", frozenset({ShardState.RUNNING}), ShardState.FAILED)
    CANCEL = Move(
        "cancel",
        frozenset({ShardState.WAITING, ShardState.PENDING, ShardState.QUEUED, ShardState.RUNNING}),
        ShardState.CANCELLED,
    )
    # Its committed rows, or what it was to write its items' rows from, are gone; a retry makes
    # them anew.
    LOSE = Move(
        "lose",
        frozenset({ShardState.COMMITTED, ShardState.DONE, ShardState.FAILED}),
        ShardState.CANCELLED,
    )
    # A cancelled retry: the part of the generation before stands again.
    RESTORE = Move(
        "restore",
        frozenset({ShardState.WAITING, ShardState.PENDING, ShardState.QUEUED, ShardState.RUNNING}),
        ShardState.DONE,
    )
    # What needs nothing that is open again is unblocked in the same transaction.
    REOPEN = Move(
        "reopen",
        frozenset({ShardState.DONE, ShardState.FAILED, ShardState.CANCELLED}),
        ShardState.WAITING,
    )


LIVE_JOBS = frozenset({JobState.PLANNING, JobState.RUNNING})
"""Jobs whose shards may be queued and claimed."""

ENDED_JOBS = frozenset({JobState.SUCCEEDED, JobState.PARTIAL, JobState.FAILED, JobState.CANCELLED})

RESTING_JOBS = ENDED_JOBS | {JobState.PAUSED}
"""Jobs that stay as they are until somebody asks for more."""

ENDED_SHARDS = frozenset({ShardState.DONE, ShardState.FAILED, ShardState.CANCELLED})

OUTSTANDING_SHARDS = frozenset({ShardState.QUEUED, ShardState.RUNNING})
"""Shards that take up a worker's slot, now or as soon as their message is read."""
