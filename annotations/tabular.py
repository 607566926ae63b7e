"""Results as lines and tables: CSV, JSON Lines and Parquet. Boxes are as the model gave them."""

import pyarrow as pa
import pyarrow.parquet as pq

from annotations.document import text_of
from annotations.rows import CSV_COLUMNS, line_rows, placed_rows
from annotations.target import Target
from core.csv_text import csv_cell, csv_line, guarded
from core.escape import printable_json
from tables.columns import SCHEMAS
from tables.flatten import flatten

CSV = "results.csv"
LINES = "results.jsonl"
_GROUP_ROWS = 122_880  # what DuckDB reads at once


class CsvWriter:
    """Writes what `regatta results --format csv` prints.

    Text that a spreadsheet would take for a formula gets an apostrophe, unless `raw`.
    """

    def __init__(self, target: Target, *, raw: bool) -> None:
        self._file = target.stream(CSV)
        self._file.write(csv_line(CSV_COLUMNS).encode())
        self._raw = raw

    def add(self, results: pa.Table) -> None:
        """Write rows."""
        for row in line_rows(placed_rows(results)):
            cells = [csv_cell(row.get(name)) for name in CSV_COLUMNS]
            if not self._raw:
                cells = [guarded(cell) if isinstance(cell, str) else cell for cell in cells]
            self._file.write(csv_line(cells).encode())

    def close(self) -> None:
        """End the file."""


class LinesWriter:
    """Writes what `regatta results --format ndjson` prints."""

    def __init__(self, target: Target) -> None:
        self._file = target.stream(LINES)

    def add(self, results: pa.Table) -> None:
        """Write rows."""
        for row in placed_rows(results):
            self._file.write(f"{printable_json(text_of(row))}\n".encode())

    def close(self) -> None:
        """End the file."""


class ParquetWriter:
    """Writes the flat tables of `tables.columns`, a file each, in groups of as many rows."""

    def __init__(self, target: Target) -> None:
        self._files = {
            name: pq.ParquetWriter(target.stream(f"{name}.parquet"), schema, compression="zstd")
            for name, schema in SCHEMAS.items()
        }
        self._waiting: dict[str, list[pa.Table]] = {name: [] for name in SCHEMAS}

    def add(self, results: pa.Table) -> None:
        """Write rows, or keep them until they fill a group."""
        for name, table in flatten(results).items():
            self._waiting[name].append(table)
            if sum(map(len, self._waiting[name])) >= _GROUP_ROWS:
                self._write(name)

    def close(self) -> None:
        """End the files."""
        for name, file in self._files.items():
            self._write(name)
            file.close()

    def _write(self, name: str) -> None:
        tables, self._waiting[name] = self._waiting[name], []
        if tables and any(map(len, tables)):
            self._files[name].write_table(pa.concat_tables(tables))
