"""Writes anew what a job took over from others, with its files, so that those need not stay."""

import time
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pyarrow as pa
import structlog

from core.errors import BadInputError
from core.layout import results_part
from core.work import WorkUnit
from predictions.answer import Legend
from store.artefacts import legends_of
from store.database import Database
from store.locations import open_store
from store.part_schema import SCHEMA
from store.parts import encode_table
from store.settling import results_of
from worker.run import ShardRun

_FILES = ("mask", "cutout", "annotated")
_THREADS = 8  # they wait for disks and servers
_AT_ONCE = 64  # files between two looks at whether the run is to go on

_log = structlog.get_logger()


class MovedResults:
    """The rows that a shard of a compaction writes anew, as a part of its own."""

    def __init__(self, db: Database, unit: WorkUnit, folders: Mapping[str, str]) -> None:
        self._db = db
        self._unit = unit
        self._folders = folders
        self._tables: list[pa.Table] = []
        self._items = 0
        self._known: set[str] = set()
        self.legends: dict[str, Legend] = {}
        """Those of the models whose rows were moved."""

    def add(
        self, run: ShardRun, rows: pa.Table, said: pa.Table, origin: str
    ) -> tuple[pa.Table, pa.Table]:
        """Move rows of the job `origin`; return both tables as they are to be read from now on.

        `rows` have the columns of `store.view.VIEW_SCHEMA`; `said` are those of the carried
        manifest for each. Items get new places in the part, as those of several jobs may clash.

        Raises:
            RegattaError: a file cannot be copied, or the run was stopped.
        """
        keys = np.array(said["key"].to_pylist(), object)
        is_new = np.append([True], keys[1:] != keys[:-1])
        places = np.cumsum(is_new) - 1 + self._items
        self._items = int(places[-1]) + 1
        here = {"job": self._unit.job, "output": self._unit.output}
        moved = _with(rows, index=places, **{n: [text] * len(rows) for n, text in here.items()})
        for name in _FILES:
            old = rows[name].to_pylist()
            new = [self._moved_key(key, origin) for key in old]
            self._copy(run, rows["output"][0].as_py(), zip(old, new, strict=True))
            moved = _with(moved, **{name: new})
        self._tables.append(moved.select(SCHEMA.names))
        self._note_legends(origin)
        part = [results_part(self._unit.part)] * len(rows)
        texts = {name: [text] * len(rows) for name, text in here.items()}
        listed = _with(said, part=part, index=places, item=said["key"], **texts)
        return moved, listed.filter(pa.array(is_new))

    def part(self) -> bytes | None:
        """Return the part with all rows that were moved; None if there are none."""
        return encode_table(pa.concat_tables(self._tables)) if self._tables else None

    def _moved_key(self, key: str | None, origin: str) -> str | None:
        if key is None:
            return None
        folder, _, rest = key.partition("/")
        return f"{folder}/{self._folders[origin]}{rest}"

    def _copy(
        self, run: ShardRun, output: str, keys: Iterator[tuple[str | None, str | None]]
    ) -> None:
        source, target = open_store(output), open_store(self._unit.output)

        def copy(old: str, new: str) -> None:
            try:
                with source.open(old) as stream:
                    target.put_stream(new, stream)
            except BadInputError as error:
                # Somebody removed it: its row names a file that is not there, as before.
                if error.reason != "source_missing":
                    raise
                _log.warning("a file is gone", key=old, output=output)

        wanted = [(old, new) for old, new in keys if old is not None and new is not None]
        with ThreadPoolExecutor(_THREADS) as pool:
            for start in range(0, len(wanted), _AT_ONCE):
                run.check()
                begun = time.monotonic()
                deque(pool.map(copy, *zip(*wanted[start : start + _AT_ONCE], strict=True)), 0)
                run.moved("copy", time.monotonic() - begun)

    def _note_legends(self, origin: str) -> None:
        if origin in self._known:
            return
        self._known.add(origin)
        shards = self._db.read(lambda s: results_of(s, origin))
        for shard in shards:
            for model, said in legends_of(shard).items():
                self.legends[model] = Legend.from_json(said)


def _with(table: pa.Table, **columns: Sequence[object] | pa.ChunkedArray) -> pa.Table:
    """Return a table with other values in some columns."""
    for name, values in columns.items():
        at = table.schema.get_field_index(name)
        field = table.schema.field(at)
        is_column = isinstance(values, pa.ChunkedArray)
        table = table.set_column(at, field, values if is_column else pa.array(values, field.type))
    return table
