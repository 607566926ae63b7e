"""Result parts: rows as Parquet, written, read, merged, counted and printed."""

from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from core.errors import FatalError
from core.states import ItemState
from store.parquet import Readable, encode_tables, open_table, read_groups
from store.part_columns import table_of
from store.part_rows import rows_of
from store.part_schema import ROW_GROUP_ROWS, SCHEMA, SCHEMA_KEY, VERSION, WARNING
from store.results import ResultRow

__all__ = [
    "Outcome",
    "ResultRow",
    "count_states",
    "decode_rows",
    "encode_rows",
    "encode_table",
    "iter_rows",
    "merge_rows",
    "outcomes",
    "print_rows",
    "read_columns",
    "read_table",
    "unsucceeded",
]


_LISTS = frozenset({"detections", "classes", "segments"})
_BY_BADNESS = (
    ItemState.SUCCEEDED,
    ItemState.SKIPPED,
    ItemState.QUARANTINED,
    ItemState.CANCELLED,
)


def encode_rows(rows: Sequence[ResultRow]) -> bytes:
    """Return a result part: Parquet, one row a result, in the order given; equal rows, equal bytes.

    Scores and boxes are 32-bit floats. `item` is the text of the key, see
    `core.keys.key_to_text`.
    """
    slices = range(0, len(rows), ROW_GROUP_ROWS)
    return _encode(
        (table_of(rows[start : start + ROW_GROUP_ROWS]) for start in slices),
        has_warnings=any(row.warning is not None for row in rows),
    )


def decode_rows(source: bytes | Path) -> Iterator[ResultRow]:
    """Yield the rows that `encode_rows` wrote, in their order, reading one row group at a time.

    Items have only their place, key, size and ETag; see `store.part_rows`.

    Raises:
        FatalError: the part is damaged or of another version.
    """
    with open_table(source, schema_key=SCHEMA_KEY, version=VERSION) as file:
        for group in range(file.num_row_groups):
            table = _completed(read_groups(file, [group]))
            try:
                yield from rows_of(table)
            except ValueError as error:
                raise FatalError(f"the part is damaged: {error}") from error


def merge_rows(old: bytes, new: Sequence[ResultRow]) -> bytes:
    """Return the part with all rows of the items in `new` replaced, in listing order.

    Rows of items that the old part lacks are added. The bytes are those of a part
    encoded from the same rows at once.

    Raises:
        FatalError: the old part is damaged or of another version.
    """
    with open_table(old, schema_key=SCHEMA_KEY, version=VERSION) as file:
        kept = _completed(read_groups(file, list(range(file.num_row_groups))))
    table = table_of(new)
    replaced = pc.is_in(kept["index"], value_set=table["index"].combine_chunks())
    merged = pa.concat_tables([kept.filter(pc.invert(replaced)), table])
    # The sort is stable, so the frames of an item stay in order.
    order = np.argsort(merged["index"].to_numpy(), kind="stable")
    merged = merged.take(pa.array(order))
    return encode_table(merged)


def encode_table(table: pa.Table) -> bytes:
    """Return the part of rows that are a table of `store.part_schema.SCHEMA`."""
    slices = range(0, len(table), ROW_GROUP_ROWS)
    return _encode(
        (table.slice(start, ROW_GROUP_ROWS) for start in slices),
        has_warnings=table[WARNING].null_count < len(table),
    )


def count_states(part: bytes) -> Counter[str]:
    """Count a part's items by state; an item with several rows counts as the worst of them.

    Raises:
        FatalError: the part is damaged or of another version.
    """
    with open_table(part, schema_key=SCHEMA_KEY, version=VERSION) as file:
        table = read_groups(file, list(range(file.num_row_groups)))
    worst: dict[int, str] = {}
    for index, state in zip(table["index"].to_pylist(), table["state"].to_pylist(), strict=True):
        worst[index] = max(state, worst.get(index, state), key=_BY_BADNESS.index)
    return Counter(worst.values())


def unsucceeded(part: bytes) -> set[int]:
    """Return the positions of the items without a success in a part: what a retry runs again.

    Raises:
        FatalError: the part is damaged or of another version.
    """
    with open_table(part, schema_key=SCHEMA_KEY, version=VERSION) as file:
        table = read_groups(file, list(range(file.num_row_groups)))
    kept = {ItemState.SUCCEEDED.value, ItemState.SKIPPED.value}
    rows = zip(table["index"].to_pylist(), table["state"].to_pylist(), strict=True)
    return {index for index, state in rows if state not in kept}


@dataclass(frozen=True, slots=True)
class Outcome:
    """How an item ended: the worst of its rows, why, and the source as it was read."""

    state: ItemState
    reason: str | None
    size: int | None
    etag: str | None


def outcomes(part: bytes) -> dict[int, Outcome]:
    """Return how the items of a part ended, by their positions; only a few columns are decoded.

    Raises:
        FatalError: the part is damaged or of another version.
    """
    names = ["index", "state", "reason", "source"]
    with open_table(part, schema_key=SCHEMA_KEY, version=VERSION) as file:
        table = read_groups(file, list(range(file.num_row_groups)), names)
    worst: dict[int, Outcome] = {}
    for index, word, reason, source in zip(
        *(table[name].to_pylist() for name in names), strict=True
    ):
        state = ItemState(word)
        if index not in worst or _BY_BADNESS.index(state) > _BY_BADNESS.index(worst[index].state):
            worst[index] = Outcome(state, reason, source["size"], source["etag"])
    return worst


def iter_rows(source: bytes | Path) -> Iterator[dict[str, Any]]:
    """Yield the rows of a part as `regatta results --format ndjson` prints them, one at a time.

    32-bit numbers get the fewest digits that identify them. Fields that a detection does not have
    are absent; those that a row does not have are None (`warning` is absent). All text is valid
    Unicode.

    Raises:
        FatalError: the part is damaged or of another version.
    """
    with open_table(source, schema_key=SCHEMA_KEY, version=VERSION) as file:
        for group in range(file.num_row_groups):
            yield from print_rows(_completed(read_groups(file, [group])))


def read_table(source: Readable) -> pa.Table:
    """Return all rows of a part as a table that has every column of `store.part_schema.SCHEMA`.

    Raises:
        FatalError: the part is damaged or of another version.
    """
    with open_table(source, schema_key=SCHEMA_KEY, version=VERSION) as file:
        return _completed(read_groups(file, list(range(file.num_row_groups))))


def read_columns(source: Readable, columns: Collection[str]) -> pa.Table:
    """Return some columns of all rows of a part; nothing else of it is read.

    `detections.score` is a field of the structs in a list: that column then has lists of structs
    with such fields only. Columns and fields that the part does not have are left out.

    Raises:
        FatalError: the part is damaged or of another version.
    """
    leaves = [_leaf(column) for column in columns]
    with open_table(source, schema_key=SCHEMA_KEY, version=VERSION) as file:
        return read_groups(file, list(range(file.num_row_groups)), leaves)


def _leaf(column: str) -> str:
    """Return the name of a column in Parquet's own schema."""
    name, dot, field = column.partition(".")
    return f"{name}.list.element.{field}" if dot and name in _LISTS else column


def _completed(table: pa.Table) -> pa.Table:
    """Return the table with all columns: an earlier version may have had fewer."""
    columns = [
        table[field.name] if field.name in table.column_names else pa.nulls(len(table), field.type)
        for field in SCHEMA
    ]
    return pa.table(columns, schema=SCHEMA)


def _encode(tables: Iterable[pa.Table], *, has_warnings: bool) -> bytes:
    """Return the tables' part; without warnings it is what versions without that column wrote."""
    names = [name for name in SCHEMA.names if has_warnings or name != WARNING]
    schema = pa.schema([SCHEMA.field(name) for name in names])
    shortened = (table.select(names) for table in tables)
    return encode_tables(schema, shortened, metadata={SCHEMA_KEY: VERSION})


def print_rows(table: pa.Table) -> Iterator[dict[str, Any]]:
    """Yield the rows of a table with every column of the schema as `iter_rows` does."""
    names = [name for name in table.column_names if name != "index"]
    columns = [
        _entries(table[name].combine_chunks()) if name in _LISTS else table[name].to_pylist()
        for name in names
    ]
    for values in zip(*columns, strict=True):
        row = dict(zip(names, values, strict=True))
        if row[WARNING] is None:
            del row[WARNING]
        yield row


def _entries(lists: pa.ListArray) -> Iterator[list[dict[str, Any]] | None]:
    """Yield the lists of a column of detections, classes or segments, one row at a time."""
    structs = lists.values
    columns = {
        field.name: _plain(structs.field(field.name))
        for field in structs.type
        if structs.field(field.name).null_count < len(structs)
    }
    offsets = lists.offsets.to_pylist()
    valid = lists.is_valid().to_pylist()
    for start, stop, is_there in zip(offsets, offsets[1:], valid, strict=False):
        if not is_there:
            yield None
            continue
        entries = zip(*[column[start:stop] for column in columns.values()], strict=True)
        yield [
            {name: value for name, value in zip(columns, entry, strict=True) if value is not None}
            for entry in entries
        ]


def _plain(array: pa.Array) -> list[Any]:
    """Return a column as plain values; floats, also in lists, become `_shortest`."""
    if pa.types.is_float32(array.type):
        return list(_shortest(array).tolist())
    if not pa.types.is_list(array.type):
        return list(array.to_pylist())
    # A slice of an array still holds the values of the whole: the offsets say which are its own.
    values, offsets = _plain(array.values), array.offsets.to_pylist()
    return [
        values[start:stop] if is_there else None
        for start, stop, is_there in zip(
            offsets, offsets[1:], array.is_valid().to_pylist(), strict=False
        )
    ]


def _shortest(numbers: pa.Array) -> Any:
    """Return 32-bit floats as the 64-bit floats with the fewest digits that round to them."""
    return pc.cast(pc.cast(numbers, pa.string()), pa.float64()).to_numpy()
