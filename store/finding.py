"""Finds the rows of a few items in a job of many, without reading its other parts."""

from collections.abc import Callable, Collection, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any, TypeVar

import pyarrow as pa
import pyarrow.compute as pc
from sqlalchemy import or_, select
from sqlalchemy.orm import Session

from core.layout import part_order
from store.artefacts import is_result, part_of
from store.carried import Origin, carried_manifests, origins_of
from store.committed import carried_rows, committed_part
from store.database import Database
from store.manifests import find_items
from store.part_files import readable
from store.parts import print_rows, read_table
from store.settling import items_keys
from store.tables import Job, Shard

_AT_ONCE = 16  # manifests that are looked into at the same time: each waits for its bucket

_Found = TypeVar("_Found")


def rows_of_items(db: Database, job: Job, items: Collection[str]) -> Iterator[dict[str, Any]]:
    """Yield the rows of the items of these names as `store.committed.committed_rows` does.

    Names are those in the rows. The job's lists of items say in which parts they are.

    Raises:
        FatalError: a list or a part is not where it was written, or is damaged.
    """
    keys = db.read(lambda s: items_keys(s, job.id))
    places = _each(keys, lambda key: find_items(readable(job.output, key, None), items))
    shards = db.read(partial(_holding, job=job, places=places))
    for shard in sorted(shards, key=lambda shard: part_order(part_of(shard))):
        table = read_table(committed_part(shard, job))
        yield from print_rows(table.filter(pc.is_in(table["item"], pa.array(sorted(items)))))
    for origin in _taken_over(db, job, items):
        yield from carried_rows(origin)


def _holding(session: Session, *, job: Job, places: dict[str, list[int]]) -> list[Shard]:
    """Return the shards that have committed anything about these rows of item manifests."""
    slices = [
        (Shard.items_key == key) & (Shard.start <= row) & (Shard.stop > row)
        for key, rows in places.items()
        for row in rows
    ]
    if not slices:
        return []
    found = session.scalars(
        select(Shard).where(Shard.job_id == job.id, Shard.part_attempt.is_not(None), or_(*slices))
    )
    return [shard for shard in found if is_result(shard)]


def _taken_over(db: Database, job: Job, items: Collection[str]) -> list[Origin]:
    places = carried_manifests(db, job)

    def look(place: tuple[str, str]) -> list[Origin]:
        return list(origins_of(readable(*place, None), items))

    return [origin for found in _each(places, look).values() for origin in found]


_Place = TypeVar("_Place")


def _each(places: Iterable[_Place], look: Callable[[_Place], _Found]) -> dict[_Place, _Found]:
    """Return what is found in each of several places, looking into many at the same time."""
    ordered = list(places)
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        return dict(zip(ordered, pool.map(look, ordered), strict=True))
