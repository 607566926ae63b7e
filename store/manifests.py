"""Item manifests: the items of a job, as Parquet."""

from collections.abc import Collection, Sequence
from operator import attrgetter

import pyarrow as pa

from core.items import ItemRef
from core.keys import key_to_text, text_to_key
from store.parquet import Readable, encode_tables, open_table, read_groups, rows_with

SCHEMA = pa.schema(
    [
        pa.field("index", pa.int64(), nullable=False),
        pa.field("key", pa.string(), nullable=False),
        pa.field("uri", pa.string()),
        pa.field("size", pa.int64()),
        pa.field("etag", pa.string()),
        pa.field("modified", pa.float64()),
        pa.field("kind", pa.string(), nullable=False),
    ]
)
"""The columns of an item manifest; those of jobs that are compared with others have `WHY`, too."""

WHY = "why"
_WITH_WHY = SCHEMA.append(pa.field(WHY, pa.string()))

_SCHEMA_KEY = "regatta.items"
_VERSION = "1"
_VALUES = attrgetter(*SCHEMA.names)
_ROW_GROUP_ROWS = 2048  # the most rows that a shard has to read besides its own


def encode_items(items: Sequence[ItemRef], whys: Sequence[str] | None = None) -> bytes:
    """Return an item manifest part: Parquet, one row an item, in the order given.

    `whys` say why each item is done at all, in a job that takes over what is not.

    Equal items give equal bytes. Parquet text is valid UTF-8, so that `key` is the key's text
    as `core.keys.key_to_text` makes it: undecodable bytes of file names are U+FFFD and two hex
    digits there.
    """
    slices = range(0, len(items), _ROW_GROUP_ROWS)
    tables = (item_table(items[start : start + _ROW_GROUP_ROWS]) for start in slices)
    if whys is not None:
        tables = (
            table.append_column(
                _WITH_WHY.field(WHY), pa.array(whys[start : start + _ROW_GROUP_ROWS], pa.string())
            )
            for table, start in zip(tables, slices, strict=True)
        )
    schema = SCHEMA if whys is None else _WITH_WHY
    return encode_tables(schema, tables, metadata={_SCHEMA_KEY: _VERSION})


def decode_items(data: bytes, start: int = 0, stop: int | None = None) -> list[ItemRef]:
    """Return the items of rows `start` to `stop` (exclusive; the end if None) of a manifest part.

    Only the row groups that hold them are decoded. Rows past the end are not an error.

    Raises:
        FatalError: the part is damaged or of another version.
    """
    with open_table(data, schema_key=_SCHEMA_KEY, version=_VERSION) as file:
        total = file.metadata.num_rows
        stop = total if stop is None else min(stop, total)
        if start >= stop:
            return []
        group_rows = file.metadata.row_group(0).num_rows  # only the last group has fewer
        first = start // group_rows
        groups = list(range(first, (stop - 1) // group_rows + 1))
        table = read_groups(file, groups).slice(start - first * group_rows, stop - start)
    index, key, uri, size, etag, modified, kind = (table[name].to_pylist() for name in SCHEMA.names)
    keys = map(text_to_key, key)
    return list(map(ItemRef, index, keys, uri, size, etag, modified, kind))


def find_items(source: Readable, keys: Collection[str]) -> list[int]:
    """Return in which rows of a manifest part items with these keys are, from 0.

    Keys are texts, as `core.keys.key_to_text` makes them. Little else is read.

    Raises:
        FatalError: the part is damaged or of another version.
    """
    with open_table(source, schema_key=_SCHEMA_KEY, version=_VERSION) as file:
        rows: list[int] = rows_with(file, "key", keys, ["key"])["row"].to_pylist()
    return rows


def read_items(data: bytes, *, with_why: bool = False) -> pa.Table:
    """Return all rows of a manifest part as a table with the columns of `SCHEMA`, or `WHY` too.

    Raises:
        FatalError: the part is damaged or of another version.
    """
    with open_table(data, schema_key=_SCHEMA_KEY, version=_VERSION) as file:
        table = read_groups(file, list(range(file.num_row_groups)))
    return table.select((_WITH_WHY if with_why else SCHEMA).names)


def item_table(items: Sequence[ItemRef]) -> pa.Table:
    """Return items as a table with the columns of `SCHEMA`, as `read_items` does."""
    values = dict(zip(SCHEMA.names, zip(*map(_VALUES, items), strict=True), strict=False))
    values["key"] = tuple(map(key_to_text, values.get("key", ())))
    arrays = [pa.array(values.get(field.name, ()), field.type) for field in SCHEMA]
    return pa.table(arrays, schema=SCHEMA)
