"""The rows of a job's results as they are printed, one part in memory at a time."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from core.errors import BadInputError
from core.kinds import ArtefactRole
from core.states import ItemState, ShardState
from core.work import Artefact
from store.artefacts import artefacts_of
from store.carried import Origin, carried_manifests, origins, rows_from
from store.database import Database
from store.locations import absolute, open_store
from store.part_files import printed_rows, read_part
from store.parts import print_rows, read_table
from store.settling import parts_of
from store.tables import Job, Shard

_FILES = ("mask", "cutout", "annotated")


def committed_rows(
    db: Database, job: Job, *, quarantined_only: bool = False
) -> Iterator[dict[str, Any]]:
    """Yield the rows of every part committed so far, in listing order, then those taken over.

    With `quarantined_only`, parts without quarantined items are not read.

    Raises:
        FatalError: a part is not where it was written, or is damaged.
    """
    yield from own_rows(db, job, quarantined_only=quarantined_only)
    for origin in origins(carried_manifests(db, job)):
        yield from carried_rows(origin, quarantined_only=quarantined_only)


def own_rows(db: Database, job: Job, *, quarantined_only: bool = False) -> Iterator[dict[str, Any]]:
    """Yield the rows that the job made itself; see `committed_rows`."""
    shards = db.read(lambda s: parts_of(s, job.id))
    for shard in shards:
        if shard.quarantined or not quarantined_only:
            key = _rows_of(shard).key
            yield from printed_rows(committed_part(shard, job), key, job.output)


def carried_rows(origin: Origin, *, quarantined_only: bool = False) -> Iterator[dict[str, Any]]:
    """Yield the rows that a job took over from a part of another.

    They name that job, and their files by absolute paths or URLs.
    """
    if quarantined_only:
        held = pc.equal(origin.rows["state"], ItemState.QUARANTINED.value)
        origin = replace(origin, rows=origin.rows.filter(held))
        if not len(origin.rows):
            return
    place = absolute(origin.output).rstrip("/")
    made, _ = rows_from(origin)
    for row in print_rows(made):
        files = {name: f"{place}/{row[name]}" for name in _FILES if row[name] is not None}
        yield {**row, **files, "job": origin.job}


def quarantined_rows(db: Database, job: Job) -> Iterator[dict[str, Any]]:
    """Yield the rows of quarantined items."""
    return _quarantined(committed_rows(db, job, quarantined_only=True))


def own_quarantined_rows(db: Database, job: Job) -> Iterator[dict[str, Any]]:
    """Yield the rows of quarantined items that the job did not take over."""
    return _quarantined(own_rows(db, job, quarantined_only=True))


def _quarantined(rows: Iterator[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    return (row for row in rows if row["state"] == ItemState.QUARANTINED)


@dataclass(frozen=True, slots=True)
class QuarantinedItem:
    """An item in quarantine: its position in the listing, its name as text, and why.

    `reasons` are those of its rows, of one for each model that has no result.
    """

    index: int
    item: str
    size: int | None
    reasons: tuple[str, ...]


def quarantined_items(db: Database, job: Job) -> Iterator[tuple[Shard, Sequence[QuarantinedItem]]]:
    """Yield the shards of a job that have quarantined items, with these, in listing order.

    Raises:
        FatalError: a part is not where it was written, or is damaged.
    """
    for shard in db.read(lambda s: parts_of(s, job.id)):
        if shard.quarantined:
            yield shard, _items_of(read_table(committed_part(shard, job)))


def _items_of(table: pa.Table) -> list[QuarantinedItem]:
    reasons: dict[int, list[str]] = {}
    about: dict[int, tuple[str, int | None]] = {}
    columns = [table[name].to_pylist() for name in ("index", "state", "item", "source", "reason")]
    for index, state, item, source, reason in zip(*columns, strict=True):
        if state == ItemState.QUARANTINED:
            about[index] = item, (source or {}).get("size")
            reasons.setdefault(index, []).append(reason or "no reason")
    return [
        QuarantinedItem(index, item, size, tuple(dict.fromkeys(reasons[index])))
        for index, (item, size) in about.items()
    ]


def committed_part(shard: Shard, job: Job) -> bytes:
    """Return the part that a shard has committed, published or not.

    Raises:
        FatalError: it is not where it was written.
    """
    output, rows = open_store(job.output), _rows_of(shard)
    if shard.state is ShardState.COMMITTED:
        try:
            return output.get(rows.staged)
        except BadInputError:
            pass  # published, and its staged copy removed, since the database was asked
    return read_part(output, rows.key, job.output)


def _rows_of(shard: Shard) -> Artefact:
    return next(one for one in artefacts_of(shard) if one.role is ArtefactRole.ROWS)
