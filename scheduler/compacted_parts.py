"""Plans a compaction: shards that each work on some results of the job that is compacted."""

from collections import Counter
from collections.abc import Iterator, Sequence
from functools import partial

import pyarrow as pa

from core.compacting import Compacted
from core.errors import UsageError
from core.kinds import ShardKind
from core.layout import items_part
from core.messages import queue_for
from core.states import ENDED_JOBS
from scheduler.planned_parts import Found, PlannedParts
from store.carried import Origin, carried_manifests, decode_carried, encode_carried, origins
from store.compactions import made_by, recorded, spec_of
from store.database import Database
from store.jobs import get_job
from store.locations import open_store
from store.own_objects import own_object
from store.planning import NewShard, PlanHold
from store.tables import Job
from store.view import ViewPart, view_parts

_SHARD_BYTES, _SHARD_ITEMS = 48 << 20, 100_000
"""How much a worker holds in memory, at most; it takes about ten times as many bytes."""

_LEAST_SHARE = 0.5
"""Results of which fewer are still taken over than this, of all that their job made, are moved.

Each time, at least as much becomes superfluous as is written, so that the work pays off.
"""


def compacted_parts(db: Database, hold: PlanHold, job: Job) -> PlannedParts:
    """Return the planning of a compaction."""
    return PlannedParts(hold, job, _found(db, job, hold.attempt))


def _found(db: Database, job: Job, attempt: int) -> Iterator[Found]:
    """Yield the shards over the job's own parts, then those over what it has taken over.

    Raises:
        UsageError: the job was retried since.
        RegattaError: its output cannot be read, or that of the compaction cannot be written.
    """
    record = db.read(lambda s: recorded(s, job.id))
    of = db.read(lambda s: get_job(s, record.of_job))
    if of.generation != record.generation or of.state not in ENDED_JOBS:
        raise UsageError(f"job {of.id} was retried meanwhile")
    # All shards must have the same: another planner may go on, and what is dead grows.
    spec = db.read(lambda s: spec_of(s, job.id))
    if spec is None:
        spec = Compacted(of.id, of.generation, mostly_dead(db, of)).to_json()
    kind = ShardKind.COMPACT
    queue = queue_for(job.task, kind)
    done = -1 if job.plan_cursor is None else int(job.plan_cursor["pieces"])
    if done < 0:
        slices = _slices(view_parts(db, of))
        shards = [NewShard(kind, queue, "", *each, spec=spec) for each in slices]
        yield Found(shards, {"pieces": 0})
    output = open_store(job.output)
    for number, piece in enumerate(_pieces(origins(carried_manifests(db, of)))):
        if number < done:
            continue
        key = items_part(number, attempt)
        output.put(key, encode_carried(piece), durable=True)
        yield Found([NewShard(kind, queue, key, 0, len(piece), spec=spec)], {"pieces": number + 1})


def mostly_dead(db: Database, job: Job) -> dict[str, str]:
    """Return the jobs of whose results this one has taken over less than half.

    Their results are to be moved, to folders of the names given (`core.compacting.Compacted`).
    """
    live: Counter[str] = Counter()
    for output, key in carried_manifests(db, job):
        found = decode_carried(own_object(job.id, output, key))["job"].value_counts().to_pylist()
        live.update({one["values"]: one["counts"] for one in found})
    moved = {}
    for origin, items in sorted(live.items()):
        kind, made = db.read(partial(made_by, job_id=origin))
        if items < _LEAST_SHARE * made:
            # What a compaction has moved lies in folders already.
            moved[origin] = "" if kind == ShardKind.COMPACT else f"{origin}/"
    return moved


def _pieces(found: Iterator[Origin]) -> Iterator[pa.Table]:
    """Yield carried manifests: each about one part, or no more items than a worker should hold."""
    held: list[pa.Table] = []
    items = 0
    for origin in found:
        if held and items + len(origin.rows) > _SHARD_ITEMS:
            yield pa.concat_tables(held)
            held, items = [], 0
        held.append(origin.rows)
        items += len(origin.rows)
    if held:
        yield pa.concat_tables(held)


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
