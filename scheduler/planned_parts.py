"""The planning of jobs that list no source: their shards work on what other jobs have made."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from store.planning import NewShard, PlanHold
from store.tables import Job


@dataclass(frozen=True, slots=True)
class Found:
    """The next shards, and the cursor from which to continue after them."""

    shards: Sequence[NewShard]
    cursor: dict[str, Any]


@dataclass(frozen=True, slots=True)
class PlannedParts:
    """A planning in progress; nothing is read until the first shards are asked for."""

    hold: PlanHold
    job: Job
    found: Iterator[Found]
