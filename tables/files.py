"""Files of flat tables: Parquet, in row groups by which a query finds what it needs."""

from collections.abc import Mapping
from io import BytesIO

import pyarrow as pa
import pyarrow.parquet as pq

from tables.columns import DETECTIONS, KEYPOINTS, SCHEMAS

SCHEMA_KEY = "regatta.table"
"""The metadata key under which a file holds the name of its table and `VERSION`: `items/1`."""

VERSION = "1"

_ROW_GROUP_ROWS: Mapping[str, int] = {DETECTIONS: 122_880, KEYPOINTS: 122_880}
_FEWER_ROWS = 20_480


class TableFile:
    """One file of a flat table while it is written. Equal rows, however divided, give equal bytes.

    Row groups have 122,880 detections or points, and 20,480 rows of the other tables: DuckDB works
    on 122,880 rows at a time, and one item is looked up in the smaller ones first.
    """

    def __init__(self, name: str) -> None:
        self._group_rows = _ROW_GROUP_ROWS.get(name, _FEWER_ROWS)
        self._schema = SCHEMAS[name]
        self._name = name
        self._buffer = BytesIO()
        self._writer = pq.ParquetWriter(
            self._buffer,
            self._schema,
            compression="zstd",
            compression_level=3,
            store_schema=False,
            write_page_checksum=True,
        )
        self._held: list[pa.Table] = []
        self._held_rows = 0

    def write(self, table: pa.Table) -> None:
        """Add rows behind those that were added before."""
        self._held.append(table)
        self._held_rows += len(table)
        while self._held_rows >= self._group_rows:
            held = pa.concat_tables(self._held)
            self._write_group(held.slice(0, self._group_rows))
            rest = held.slice(self._group_rows)
            self._held, self._held_rows = [rest], len(rest)

    def close(self) -> bytes:
        """Return the whole file; nothing can be added any more."""
        if self._held_rows:
            self._write_group(pa.concat_tables(self._held))
        self._writer.add_key_value_metadata({SCHEMA_KEY: f"{self._name}/{VERSION}"})
        self._writer.close()
        return self._buffer.getvalue()

    def _write_group(self, table: pa.Table) -> None:
        # Chunks would decide where pages end.
        self._writer.write_table(table.combine_chunks(), row_group_size=self._group_rows)
