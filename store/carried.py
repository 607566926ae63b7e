"""Carried manifests: the items of a job whose results are those of earlier jobs, as Parquet.

Each row names the part that holds the item's rows: the origin, never a job that took them over.
"""

import tempfile
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from core.errors import FatalError
from store.locations import absolute, open_store
from store.parquet import Readable, encode_tables, open_table, read_groups, rows_with
from store.part_files import part_columns, read_part
from store.parts import read_table

if TYPE_CHECKING:
    from store.database import Database
    from store.tables import Job

SCHEMA = pa.schema(
    [
        pa.field("key", pa.string(), nullable=False),
        pa.field("uri", pa.string()),
        pa.field("size", pa.int64()),
        pa.field("etag", pa.string()),
        pa.field("modified", pa.float64()),
        pa.field("kind", pa.string(), nullable=False),
        # Where its rows are: those with this `index` in the part under this key of that output.
        pa.field("job", pa.string(), nullable=False),
        pa.field("output", pa.string(), nullable=False),
        pa.field("part", pa.string(), nullable=False),
        pa.field("index", pa.int64(), nullable=False),
        # Its key there, and how it had ended when it was taken over.
        pa.field("item", pa.string(), nullable=False),
        pa.field("state", pa.string(), nullable=False),
        pa.field("reason", pa.string()),
        pa.field("why", pa.string(), nullable=False),
    ]
)
"""The columns of a carried manifest. The first six are as in an item manifest."""

MANIFESTS = "manifests"
"""The name under which a job's `comparison` lists the keys of its carried manifests."""

_SCHEMA_KEY = "regatta.carried"
_VERSION = "1"
_ROW_GROUP_ROWS = 20_000
_SORT_MEMORY = "200MB"
_ORDER = ("job", "output", "part", "index", "key")


def encode_carried(table: pa.Table) -> bytes:
    """Return a carried manifest part with these rows, which have the columns of `SCHEMA`."""
    slices = range(0, len(table), _ROW_GROUP_ROWS)
    return encode_tables(
        SCHEMA,
        (table.slice(start, _ROW_GROUP_ROWS).cast(SCHEMA) for start in slices),
        metadata={_SCHEMA_KEY: _VERSION},
    )


def decode_carried(data: bytes) -> pa.Table:
    """Return the rows that `encode_carried` wrote.

    Raises:
        FatalError: the manifest is damaged or of another version.
    """
    with open_table(data, schema_key=_SCHEMA_KEY, version=_VERSION) as file:
        table = read_groups(file, list(range(file.num_row_groups)))
    missing = [name for name in SCHEMA.names if name not in table.column_names]
    if missing:
        raise FatalError(f"the manifest of carried items lacks {', '.join(missing)}")
    return table.select(SCHEMA.names)


def carried_manifests(db: "Database", job: "Job") -> list[tuple[str, str]]:
    """Return where a job's carried manifests lie: their outputs, and their keys there.

    They are those that planning wrote, until a compaction has moved results.
    """
    # Who only reads manifests needs no database.
    from store.compactions import moved_manifests  # noqa: PLC0415
    from store.jobs import get_job  # noqa: PLC0415

    moved = db.read(lambda s: moved_manifests(s, job.id))
    if moved:
        return moved
    said = db.read(lambda s: get_job(s, job.id)).comparison or {}
    return [(job.output, key) for key in said.get(MANIFESTS, ())]


@dataclass(frozen=True, slots=True)
class Origin:
    """A part of an earlier job from which rows are taken over.

    It lies under `key` in `output`; `rows` are those of the carried manifests that are about it,
    in the order of their `index`.
    """

    job: str
    output: str
    key: str
    rows: pa.Table


def origins(manifests: Sequence[tuple[str, str]]) -> Iterator[Origin]:
    """Yield the parts that carried manifests name, each once, sorted by their jobs and keys.

    Memory holds the rows about one part: the manifests are sorted on disk.

    Raises:
        FatalError: a manifest is missing or damaged.
    """
    if not manifests:
        return
    with tempfile.TemporaryDirectory(prefix="regatta-carried-") as folder:
        files = _local(manifests, Path(folder))
        yield from _grouped(_sorted(files, Path(folder)))


def origins_of(source: Readable, keys: Collection[str]) -> Iterator[Origin]:
    """Yield the parts from which a carried manifest takes the items with these keys, as texts.

    Raises:
        FatalError: the manifest is damaged or of another version.
    """
    with open_table(source, schema_key=_SCHEMA_KEY, version=_VERSION) as file:
        rows = rows_with(file, "key", keys, SCHEMA.names).select(SCHEMA.names).cast(SCHEMA)
    yield from _grouped([rows.sort_by([(name, "ascending") for name in _ORDER])])


def rows_from(origin: Origin, columns: Collection[str] | None = None) -> tuple[pa.Table, pa.Table]:
    """Return the rows of the items taken over from a part, and the manifest's row for each.

    Both tables have the same length: an item has several rows under several models. The first has
    the columns of `store.part_schema.SCHEMA`, with the items' present keys; `index` is that in the
    listing of the job that made the rows, and `mask`, `cutout` and `annotated` lie in its output.
    `columns` limits it to some, as in `store.parts.read_columns`; `index` and `item` are needed.

    Raises:
        FatalError: the part, or a row of it, is gone.
    """
    if columns is None:
        made = read_table(read_part(open_store(origin.output), origin.key, origin.output))
    else:
        made = part_columns(origin.output, origin.key, None, columns)
    places = made["index"].to_numpy()
    order = np.argsort(places, kind="stable")
    wanted = origin.rows["index"].to_numpy()
    first = np.searchsorted(places, wanted, "left", sorter=order)
    numbers = np.searchsorted(places, wanted, "right", sorter=order) - first
    if not numbers.all():
        item = origin.rows["item"][int(np.argmin(numbers))].as_py()
        raise FatalError(
            f"{origin.key} in {absolute(origin.output)} has no row of {item!r} any more",
            hint="run a new job over its source",
        )
    which = np.repeat(np.arange(len(wanted)), numbers)
    within = np.arange(len(which)) - np.repeat(np.cumsum(numbers) - numbers, numbers)
    rows = made.take(pa.array(order[first[which] + within]))
    said = origin.rows.take(pa.array(which))
    at = rows.column_names.index("item")
    return rows.set_column(at, rows.schema.field(at), said["key"]), said


def _local(manifests: Iterable[tuple[str, str]], folder: Path) -> list[str]:
    files = []
    for number, (output, key) in enumerate(manifests):
        data = read_part(open_store(output), key, output)
        open_table(data, schema_key=_SCHEMA_KEY, version=_VERSION).close()
        file = folder / f"{number}.parquet"
        file.write_bytes(data)
        files.append(str(file))
    return files


def _sorted(files: Sequence[str], folder: Path) -> Iterator[pa.Table]:
    import duckdb  # noqa: PLC0415 - only jobs that carry results need it

    settings: dict[str, Any] = {
        "memory_limit": _SORT_MEMORY,
        "threads": 1,
        "temp_directory": str(folder / "spilled"),
    }
    with duckdb.connect(config=settings) as connection:
        names = ", ".join(f'"{name}"' for name in SCHEMA.names)
        found = connection.sql(
            f"SELECT {names} FROM read_parquet($files) "  # noqa: S608 - names of our own
            'ORDER BY job, output, part, "index", key',
            params={"files": list(files)},
        )
        for batch in found.to_arrow_reader(_ROW_GROUP_ROWS):
            yield pa.Table.from_batches([batch]).cast(SCHEMA)


def _grouped(tables: Iterable[pa.Table]) -> Iterator[Origin]:
    """Yield the rows of sorted tables by the part that they are about."""
    held: list[pa.Table] = []
    of: tuple[str, str, str] | None = None
    for table in tables:
        columns = (table[name].to_pylist() for name in ("job", "output", "part"))
        names = list(zip(*columns, strict=True))
        start = 0
        for at, name in enumerate(names):
            if name != of:
                if of is not None:
                    yield Origin(*of, pa.concat_tables([*held, table.slice(start, at - start)]))
                held, start, of = [], at, name
        held.append(table.slice(start))
    if of is not None:
        yield Origin(*of, pa.concat_tables(held))
