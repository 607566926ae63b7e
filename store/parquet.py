"""Writes and reads Parquet files whose bytes depend on their content alone."""

from collections.abc import Collection, Iterable, Sequence
from io import BytesIO
from pathlib import Path
from typing import TypeAlias

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from core.errors import FatalError


def encode_tables(
    schema: pa.Schema, tables: Iterable[pa.Table], *, metadata: dict[str, str]
) -> bytes:
    """Return a Parquet file with one row group per table.

    Equal tables give equal bytes (with the same version of pyarrow).
    """
    buffer = BytesIO()
    with pq.ParquetWriter(
        buffer,
        schema,
        compression="zstd",
        compression_level=3,
        store_schema=False,
        write_page_checksum=True,
    ) as writer:
        for table in tables:
            writer.write_table(table)
        writer.add_key_value_metadata(metadata)
    return buffer.getvalue()


Readable: TypeAlias = bytes | Path | pa.NativeFile
"""What a Parquet file is read from: its content, a local file, or an open file of pyarrow's."""


def open_table(source: Readable, *, schema_key: str, version: str) -> pq.ParquetFile:
    """Open a Parquet file that Regatta wrote and check its metadata; no rows are read yet.

    Raises:
        FatalError: it is damaged, or its schema is not of this version.
    """
    name = str(source) if isinstance(source, Path) else "the part"
    try:
        file = pq.ParquetFile(
            pa.BufferReader(source) if isinstance(source, bytes) else source,
            page_checksum_verification=True,
        )
    except (pa.ArrowException, OSError) as error:
        raise FatalError(f"{name} can't be read as Parquet: {error}") from error
    found = (file.metadata.metadata or {}).get(schema_key.encode(), b"none").decode()
    if found != version:
        raise FatalError(
            f"{name} has {schema_key}={found}; this version of Regatta reads {version}",
            hint="use the version that wrote it, or a newer one",
        )
    return file


def read_groups(
    file: pq.ParquetFile, groups: list[int], columns: Sequence[str] | None = None
) -> pa.Table:
    """Return the rows of some row groups, read by this thread alone.

    `columns` are paths in the file's own schema, of all that lie below them; None is everything.

    Raises:
        FatalError: the file is damaged.
    """
    try:
        return file.read_row_groups(groups, columns=columns, use_threads=False)
    except (pa.ArrowException, OSError) as error:
        raise FatalError(f"the part is damaged: {error}") from error


def rows_with(
    file: pq.ParquetFile, column: str, values: Collection[str], columns: Sequence[str]
) -> pa.Table:
    """Return the rows with one of these values in a column of text, and their places in the file.

    The table has `columns` and `row`, from 0. Row groups that cannot hold any are not read.

    Raises:
        FatalError: the file is damaged.
    """
    place = file.schema_arrow.get_field_index(column)
    wanted = pa.array(sorted(values), pa.string())
    found, start = [], 0
    for number in range(file.num_row_groups):
        group = file.metadata.row_group(number)
        known = group.column(place).statistics
        rows, start = range(start, start + group.num_rows), start + group.num_rows
        if known is not None and known.has_min_max:
            low, high = known.min, known.max
            if not any(low <= value <= high for value in values):
                continue
        keys = read_groups(file, [number], [column])[column]
        here = pc.is_in(keys, value_set=wanted)
        if pc.any(here).as_py():
            table = read_groups(file, [number], columns)
            numbers = pa.array(rows, pa.int64())
            found.append(table.append_column("row", numbers).filter(here))
    fields = [file.schema_arrow.field(name) for name in columns]
    empty = pa.schema([*fields, pa.field("row", pa.int64())]).empty_table()
    return pa.concat_tables([empty, *found])
