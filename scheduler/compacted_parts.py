"""Plans a compaction: shards that each work on some parts of the job that is compacted."""

from collections.abc import Iterator, Sequence

from core.compacting import Compacted
from core.errors import UsageError
from core.kinds import ShardKind
from core.messages import queue_for
from core.states import ENDED_JOBS
from scheduler.planned_parts import Found, PlannedParts
from store.compactions import recorded
from store.database import Database
from store.jobs import get_job
from store.planning import NewShard, PlanHold
from store.tables import Job
from store.view import ViewPart, view_parts

_SHARD_BYTES, _SHARD_ITEMS = 48 << 20, 100_000
"""How much a worker holds in memory, at most; it takes about ten times as many bytes."""


def compacted_parts(db: Database, hold: PlanHold, job: Job) -> PlannedParts:
    """Return the planning of a compaction."""
    return PlannedParts(hold, job, _found(db, job))


def _found(db: Database, job: Job) -> Iterator[Found]:
    """Yield the shards over the job's own parts.

    Raises:
        UsageError: the job was retried since.
        RegattaError: its output cannot be read.
    """
    record = db.read(lambda s: recorded(s, job.id))
    of = db.read(lambda s: get_job(s, record.of_job))
    if of.generation != record.generation or of.state not in ENDED_JOBS:
        raise UsageError(f"job {of.id} was retried meanwhile")
    spec = Compacted(of.id, of.generation).to_json()
    queue = queue_for(job.task, ShardKind.COMPACT)
    if job.plan_cursor is None:
        slices = _slices(view_parts(db, of))
        shards = [NewShard(ShardKind.COMPACT, queue, "", *each, spec=spec) for each in slices]
        yield Found(shards, {"parts": slices[-1][1] if slices else 0})


def _slices(parts: Sequence[ViewPart]) -> list[tuple[int, int]]:
    """Return ranges of parts: each is one part, or no more than a worker should hold."""
    slices: list[tuple[int, int]] = []
    start, size, items = 0, 0, 0
    for at, part in enumerate(parts):
        if at > start and (size + part.size > _SHARD_BYTES or items + part.items > _SHARD_ITEMS):
            slices.append((start, at))
            start, size, items = at, 0, 0
        size, items = size + part.size, items + part.items
    return [*slices, (start, len(parts))] if parts else []
