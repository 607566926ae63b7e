"""Plans a job that redraws another one's pictures: a shard for each part of that job's rows."""

from collections.abc import Iterator
from itertools import groupby
from typing import Any

from core.errors import UsageError
from core.kinds import ShardKind
from core.layout import part_order, results_part
from core.messages import queue_for
from core.options import JobOptions
from core.rendering import Drawn
from core.states import ENDED_JOBS
from scheduler.planned_parts import Found, PlannedParts
from store import references
from store.artefacts import legends_of, part_of
from store.database import Database
from store.jobs import get_job
from store.locations import open_store
from store.planning import NewShard, PlanHold
from store.settling import parts_of
from store.tables import Job, Shard


def drawn_parts(db: Database, hold: PlanHold, job: Job) -> PlannedParts:
    """Return the planning of a job: its parts are named like those whose rows they draw.

    Raises:
        NewerError: a newer version wrote its options.
    """
    return PlannedParts(hold, job, _found(db, job, JobOptions.from_json(job.options)))


def _found(db: Database, job: Job, options: JobOptions) -> Iterator[Found]:
    """Yield the shards of one item manifest after another, once each manifest is copied.

    Raises:
        UsageError: the job to redraw is running again.
        RegattaError: its output cannot be read.
    """
    refers = db.read(lambda s: references.references_of(s, job.id))
    [drawn] = [other for other, why in refers.items() if why == references.REDRAWS]
    old, shards = db.read(lambda s: (get_job(s, drawn), parts_of(s, drawn)))
    if old.state not in ENDED_JOBS:
        raise UsageError(f"job {old.id} runs again", hint="draw its pictures when it has ended")
    # The same for all parts of a model, except those of a version that kept none.
    legends = {name: said for shard in shards for name, said in legends_of(shard).items()}
    source, output = open_store(old.output), open_store(job.output)
    done = part_order(job.plan_cursor["part"]) if job.plan_cursor else ()
    left = [shard for shard in shards if part_order(part_of(shard)) > done]
    # Only where it is needed: earlier versions don't know it.
    listed = 0 if options.drawing.sample is None else old.listed
    for items_key, group in groupby(left, key=lambda shard: shard.items_key):
        # Manifests never change, and their names tell which planning attempt wrote them.
        output.put(items_key, source.get(items_key), durable=True)
        parts = list(group)
        new = [_shard(job, old, shard, legends, listed) for shard in parts]
        yield Found(new, {"part": part_of(parts[-1])})


def _shard(job: Job, old: Job, shard: Shard, legends: dict[str, Any], listed: int) -> NewShard:
    part = part_of(shard)
    key, digest = results_part(part), shard.part_digest or ""
    drawn = Drawn(old.id, old.output, key, digest, legends, listed)
    return NewShard(
        ShardKind.RENDER,
        queue_for(job.task, ShardKind.RENDER),
        shard.items_key,
        shard.start,
        shard.stop,
        items=shard.items,
        spec=drawn.to_json(),
        part=part,
    )
