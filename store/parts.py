from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from core.errors import FatalError
from core.states import ItemState
from store.parquet import encode_tables, open_table, read_groups
from store.part_columns import table_of
from store.part_rows import rows_of
from store.part_schema import ROW_GROUP_ROWS, SCHEMA, SCHEMA_KEY, VERSION
from store.results import ResultRow

__all__ = [
    "ResultRow",
    "count_states",
    "decode_rows",
    "encode_rows",
    "iter_rows",
    "merge_rows",
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
    """A result part: Parquet, one row a result, in the order given; equal rows, equal bytes.

    Scores and boxes are 32-bit floats. `item` is the text of the key, see
    `core.keys.key_to_text`.
    """
    slices = range(0, len(rows), ROW_GROUP_ROWS)
    return _encode(table_of(rows[start : start + ROW_GROUP_ROWS]) for start in slices)


def decode_rows(source: bytes | Path) -> Iterator[ResultRow]:
    """The rows that `encode_rows` wrote, in their order, read one row group at a time.

    Of an item, a row holds its place, its key, its size and its ETag; see `store.part_rows`.

    Raises:
        FatalError: The part is damaged or of another version.
    """
    with open_table(source, schema_key=SCHEMA_KEY, version=VERSION) as file:
        for group in range(file.num_row_groups):
            table = _completed(read_groups(file, [group]))
            try:
                yield from rows_of(table)
            except ValueError as error:
                raise FatalError(f"the part is damaged: {error}") from error


def merge_rows(old: bytes, new: Sequence[ResultRow]) -> bytes:
    """The part with all rows of the items in `new` replaced, in the order of the listing.

    Rows of items that the old part lacks are added. The bytes are those of a part that was
    encoded from the same rows at once.

    Raises:
        FatalError: The old part is damaged or of another version.
    """
    with open_table(old, schema_key=SCHEMA_KEY, version=VERSION) as file:
        kept = _completed(read_groups(file, list(range(file.num_row_groups))))
    table = table_of(new)
    replaced = pc.is_in(kept["index"], value_set=table["index"].combine_chunks())
    merged = pa.concat_tables([kept.filter(pc.invert(replaced)), table])
    # Frames of one item stay in their order: the sort is stable.
    order = np.argsort(merged["index"].to_numpy(), kind="stable")
    merged = merged.take(pa.array(order))
    slices = range(0, len(merged), ROW_GROUP_ROWS)
    return _encode(merged.slice(start, ROW_GROUP_ROWS) for start in slices)


def count_states(part: bytes) -> Counter[str]:
    """How many items of a part are in which state: of several rows, that of the worst.

    Raises:
        FatalError: The part is damaged or of another version.
    """
    with open_table(part, schema_key=SCHEMA_KEY, version=VERSION) as file:
        table = read_groups(file, list(range(file.num_row_groups)))
    worst: dict[int, str] = {}
    for index, state in zip(table["index"].to_pylist(), table["state"].to_pylist(), strict=True):
        worst[index] = max(state, worst.get(index, state), key=_BY_BADNESS.index)
    return Counter(worst.values())


def unsucceeded(part: bytes) -> set[int]:
    """The positions of the items that have no success in a part: what a retry runs again.

    Raises:
        FatalError: The part is damaged or of another version.
    """
    with open_table(part, schema_key=SCHEMA_KEY, version=VERSION) as file:
        table = read_groups(file, list(range(file.num_row_groups)))
    kept = {ItemState.SUCCEEDED.value, ItemState.SKIPPED.value}
    rows = zip(table["index"].to_pylist(), table["state"].to_pylist(), strict=True)
    return {index for index, state in rows if state not in kept}


def iter_rows(source: bytes | Path) -> Iterator[dict[str, Any]]:
    """The rows of a part as `regatta results --format ndjson` prints them, one at a time.

    Numbers that are stored in 32 bits get the fewest digits that tell them apart. Fields that a
    detection does not have are absent; those of a row are None. All text is valid Unicode.

    Raises:
        FatalError: The part is damaged or of another version.
    """
    with open_table(source, schema_key=SCHEMA_KEY, version=VERSION) as file:
        for group in range(file.num_row_groups):
            yield from _printed(_completed(read_groups(file, [group])))


def _completed(table: pa.Table) -> pa.Table:
    """The table with all columns: one of an earlier version may lack those that came later."""
    columns = [
        table[field.name] if field.name in table.column_names else pa.nulls(len(table), field.type)
        for field in SCHEMA
    ]
    return pa.table(columns, schema=SCHEMA)


def _encode(tables: Iterable[pa.Table]) -> bytes:
    return encode_tables(SCHEMA, tables, metadata={SCHEMA_KEY: VERSION})


def _printed(table: pa.Table) -> Iterator[dict[str, Any]]:
    names = [name for name in table.column_names if name != "index"]
    columns = [
        _entries(table[name].combine_chunks()) if name in _LISTS else table[name].to_pylist()
        for name in names
    ]
    for values in zip(*columns, strict=True):
        yield dict(zip(names, values, strict=True))


def _entries(lists: pa.ListArray) -> Iterator[list[dict[str, Any]] | None]:
    """The lists of a column of detections, classes or segments, one row at a time."""
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
    """The values of a column of floats, of lists of such columns, or of what prints as it is."""
    if pa.types.is_float32(array.type):
        return list(_shortest(array).tolist())
    if not pa.types.is_list(array.type):
        return list(array.to_pylist())
    # A slice of an array has all values of the whole: the offsets say which are its own.
    values, offsets = _plain(array.values), array.offsets.to_pylist()
    return [
        values[start:stop] if is_there else None
        for start, stop, is_there in zip(
            offsets, offsets[1:], array.is_valid().to_pylist(), strict=False
        )
    ]


def _shortest(numbers: pa.Array) -> Any:
    """32-bit floats as the 64-bit floats with the fewest digits that still are the same number."""
    return pc.cast(pc.cast(numbers, pa.string()), pa.float64()).to_numpy()
