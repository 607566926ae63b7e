"""All results of a job as tables: what every query, export and evaluation reads."""

from collections.abc import Iterator

import pyarrow as pa

from core.kinds import ArtefactRole
from core.states import ShardState
from store.artefacts import artefacts_of
from store.carried import Origin, carried_manifests
from store.database import Database
from store.jobs import sources_of
from store.settling import parts_of
from store.tables import Job, Shard
from store.view_reading import VIEW_SCHEMA, View, ViewPart

__all__ = [
    "VIEW_SCHEMA",
    "View",
    "ViewPart",
    "carried_table",
    "own_tables",
    "view_of",
    "view_parts",
    "view_tables",
]


def view_of(db: Database, job: Job) -> View:
    """Return where all results of a job lie that are committed so far."""
    return View(view_parts(db, job), carried_manifests(db, job), sources_of(job))


def view_parts(db: Database, job: Job) -> list[ViewPart]:
    """Return the parts of a job's own results that are committed so far, in listing order.

    The job may have taken over results of others (`store.carried`): `view_tables` has them all.
    """
    return [_part(job, shard) for shard in db.read(lambda s: parts_of(s, job.id))]


def view_tables(db: Database, job: Job) -> Iterator[pa.Table]:
    """Yield all of a job's results so far as tables of `VIEW_SCHEMA`.

    Its own come first, in listing order; then those that it took over, by the parts that hold them,
    each of which is read once. Memory holds one part. `uri` is where the item lies: a URL, or an
    absolute path. `item` tells items apart: the `index` of a row is that in the listing of the
    job that made it, and copies of a file share that job's row.

    Raises:
        FatalError: a part is not where it was written, or is damaged.
    """
    return (read() for read in view_of(db, job).reads())


def own_tables(
    db: Database, job: Job, start: int = 0, stop: int | None = None
) -> Iterator[pa.Table]:
    """Yield the tables of `view_parts(db, job)[start:stop]`; see `view_tables`."""
    view = View(view_parts(db, job)[start:stop], (), sources_of(job))
    return (read() for read in view.reads())


def carried_table(job: Job, origin: Origin) -> tuple[pa.Table, pa.Table]:
    """Return the rows that a job took over from a part of another, and the manifest's for each.

    The first table has the columns of `VIEW_SCHEMA`, the second those of `store.carried.SCHEMA`.

    Raises:
        FatalError: the part, or a row of it, is gone.
    """
    return View((), (), sources_of(job)).taken_over(origin)


def _part(job: Job, shard: Shard) -> ViewPart:
    rows = next(one for one in artefacts_of(shard) if one.role is ArtefactRole.ROWS)
    staged = rows.staged if shard.state is ShardState.COMMITTED else None
    return ViewPart(
        *(job.id, job.output, rows.key, staged, shard.items, rows.size),
        *(shard.items_key, shard.start, shard.stop),
    )
