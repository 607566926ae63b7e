"""Writes and reads Parquet files whose bytes depend on their content alone."""

from collections.abc import Iterable
from io import BytesIO
from pathlib import Path

import pyarrow as pa
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


def open_table(source: bytes | Path, *, schema_key: str, version: str) -> pq.ParquetFile:
    """Open a Parquet file that Regatta wrote and check its metadata; no rows are read yet.

    Raises:
        FatalError: it is damaged, or its schema is not of this version.
    """
    name = "the part" if isinstance(source, bytes) else str(source)
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
    file: pq.ParquetFile, groups: list[int], columns: list[str] | None = None
) -> pa.Table:
    """Return the rows of some row groups, all columns or these, read by this thread alone.

    Raises:
        FatalError: the file is damaged.
    """
    try:
        return file.read_row_groups(groups, columns, use_threads=False)
    except (pa.ArrowException, OSError) as error:
        raise FatalError(f"the part is damaged: {error}") from error
