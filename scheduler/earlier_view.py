"""The results that a job is compared with, item by item, in a table on disk.

It is made anew from manifests whenever a planner takes up the job, and is never more than a cache.
DuckDB keeps its memory within a limit; what it needs beyond that goes to the same folder.
"""

import tempfile
from collections.abc import Iterator, Mapping
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from core.kinds import COUNT
from core.layout import results_part
from core.states import ItemState
from scheduler.origins import Name, Origins
from store.artefacts import is_result, part_of
from store.carried import carried_manifests, decode_carried
from store.database import Database
from store.locations import open_store
from store.manifests import read_items
from store.own_objects import own_object
from store.part_files import read_part
from store.parts import outcomes
from store.settling import shards_of
from store.tables import Job, Shard

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

_MEMORY = "200MB"
_COLUMNS: dict[str, pa.DataType] = {
    "key": pa.string(),
    "uri": pa.string(),
    "size": pa.int64(),
    "etag": pa.string(),
    "origin": pa.int32(),
    "place": pa.int64(),
    "item": pa.string(),
    "state": pa.string(),
    "reason": pa.string(),
}
"""Those of `store.carried`, in short: `origin` numbers the part, `place` is the index there."""


class EarlierView:
    """What a job has results of: the table `known` of a database of its own.

    `load` fills it step by step. `state` is null where an item has no row.
    """

    def __init__(self, db: Database, job: Job) -> None:
        import duckdb  # noqa: PLC0415 - only planners of such jobs need it

        self._db = db
        self._job = job
        self._folder = tempfile.TemporaryDirectory(prefix="regatta-known-")
        folder = Path(self._folder.name)
        settings: dict[str, Any] = {
            "memory_limit": _MEMORY,
            "threads": 1,
            "preserve_insertion_order": False,
            "temp_directory": str(folder / "spilled"),
        }
        self.connection: DuckDBPyConnection = duckdb.connect(
            folder / "known.duckdb", config=settings
        )
        self.origins = Origins(db)

    def close(self) -> None:
        """Remove the table."""
        self.connection.close()
        self._folder.cleanup()

    def load(self) -> Iterator[None]:
        """Fill the table, a manifest at each step.

        Raises:
            FatalError: a manifest or a part is gone or damaged.
            RetryableError: the output of a job cannot be read.
        """
        types = ", ".join(f"{name} {_SQL[kind]}" for name, kind in _COLUMNS.items())
        self.connection.execute(f"CREATE TABLE unsorted ({types})")
        for table in self._tables():
            self.connection.register("part", table)
            self.connection.execute("INSERT INTO unsorted SELECT * FROM part")
            self.connection.unregister("part")
            yield
        # Sorted, the rows that a batch of a sorted listing may match lie side by side, and the rest
        # is not looked at. Of an item that a list named twice, one row is enough.
        self.connection.execute(
            "CREATE TABLE known AS SELECT * FROM unsorted ORDER BY key; DROP TABLE unsorted"
        )

    def _tables(self) -> Iterator[pa.Table]:
        shards = self._db.read(lambda s: shards_of(s, self._job.id))
        counted = [shard for shard in shards if shard.kind in COUNT]
        for items_key, group in groupby(counted, key=lambda shard: shard.items_key):
            items = read_items(own_object(self._job.id, self._job.output, items_key))
            yield pa.concat_tables([self._of_shard(shard, items) for shard in group])
        for output, key in carried_manifests(self._db, self._job):
            yield self._of_carried(decode_carried(read_part(open_store(output), key, output)))

    def _of_shard(self, shard: Shard, items: pa.Table) -> pa.Table:
        """Return the items of a shard of the job itself."""
        items = items.slice(shard.start, shard.stop - shard.start)
        count = len(items)
        columns = {name: items[name] for name in ("key", "uri", "size", "etag")}
        columns |= {"place": items["index"], "item": items["key"]}
        name = (self._job.id, self._job.output, results_part(part_of(shard)))
        columns["origin"] = pa.repeat(self.origins.number(name), count)
        if not is_result(shard):
            columns |= {"state": pa.nulls(count), "reason": pa.nulls(count)}
        elif shard.succeeded == count and not self._job.generation:
            # The part need not be read. A retry may have read other contents than were listed.
            columns["state"] = pa.repeat(ItemState.SUCCEEDED.value, count)
            columns["reason"] = pa.nulls(count)
        else:
            columns |= self._ended(name, columns)
        return _shaped(columns)

    def _of_carried(self, rows: pa.Table) -> pa.Table:
        """Return the items that the job had taken over itself, under their origins."""
        columns = {name: rows[name] for name in ("key", "uri", "size", "etag", "item")}
        columns |= {"place": rows["index"], "state": rows["state"], "reason": rows["reason"]}
        joined = pc.binary_join_element_wise(rows["job"], rows["output"], rows["part"], "\0")
        encoded = joined.combine_chunks().dictionary_encode()
        numbers = [
            self.origins.number((job, output, part))
            for job, output, part in (text.split("\0") for text in encoded.dictionary.to_pylist())
        ]
        columns["origin"] = pa.array(np.array(numbers, np.int32)[encoded.indices.to_numpy()])
        return self._with_present_outcomes(_shaped(columns))

    def _with_present_outcomes(self, table: pa.Table) -> pa.Table:
        """Return the same after a new look at what was in quarantine: somebody may have retried."""
        held = pc.equal(table["state"], ItemState.QUARANTINED.value)
        found = table.filter(held)
        if not len(found):
            return table
        again = []
        for number in pc.unique(found["origin"]).to_pylist():
            rows = found.filter(pc.equal(found["origin"], number))
            columns = {name: rows[name] for name in _COLUMNS}
            columns |= self._ended(self.origins.names[number], columns)
            again.append(_shaped(columns))
        return pa.concat_tables([table.filter(pc.invert(held)), *again])

    def _ended(self, name: Name, columns: Mapping[str, Any]) -> dict[str, list[Any]]:
        """Return how items ended according to their part, and their sources as they were read."""
        _, output, key = name
        ended = outcomes(read_part(open_store(output), key, output))
        states, reasons, sizes, etags = [], [], [], []
        listed = (columns[column].to_pylist() for column in ("place", "size", "etag"))
        for place, size, etag in zip(*listed, strict=True):
            one = ended.get(place)
            states.append(None if one is None else one.state.value)
            reasons.append(None if one is None else one.reason)
            sizes.append(size if one is None else one.size)
            etags.append(etag if one is None else one.etag)
        return {"state": states, "reason": reasons, "size": sizes, "etag": etags}


def _shaped(columns: Mapping[str, Any]) -> pa.Table:
    arrays = [
        column.cast(kind)
        if isinstance(column, pa.ChunkedArray | pa.Array)
        else pa.array(column, kind)
        for column, kind in ((columns[name], kind) for name, kind in _COLUMNS.items())
    ]
    return pa.table(arrays, schema=pa.schema(list(_COLUMNS.items())))


_SQL = {
    pa.string(): "VARCHAR",
    pa.int64(): "BIGINT",
    pa.int32(): "INTEGER",
}
