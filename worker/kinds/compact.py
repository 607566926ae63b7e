"""Shards of the kind `compact`: flat tables of some parts of another job's results."""

import time
from collections.abc import Iterator
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.compute as pc

from core.compacting import Compacted
from core.errors import FatalError
from core.kinds import ArtefactRole
from core.states import ENDED_JOBS
from store.compactions import suffix_of
from store.database import Database
from store.jobs import get_job
from store.tables import Job
from store.view import VIEW_SCHEMA, own_tables
from tables.columns import SCHEMAS
from tables.files import TableFile
from tables.flatten import flatten
from worker.kinds.kind import KindRunner, Outcome, Product
from worker.run import ShardRun

_AT_ONCE = 8192  # rows that are flattened before they are written


@dataclass(frozen=True, slots=True)
class Compact(KindRunner):
    """Writes flat tables, sorted by item. Memory holds the shard's parts, and the files made."""

    db: Database

    def run(self, run: ShardRun) -> Outcome:
        """Return the shard's tables; see `KindRunner.run`."""
        said = Compacted.from_json(run.unit.spec)
        job = self.db.read(lambda s: get_job(s, said.job))
        if job.generation != said.generation or job.state not in ENDED_JOBS:
            raise FatalError(f"job {job.id} was retried meanwhile")
        results = _in_order(pa.concat_tables([VIEW_SCHEMA.empty_table(), *self._read(run, job)]))
        return Outcome(_tables(run, results))

    def _read(self, run: ShardRun, job: Job) -> Iterator[pa.Table]:
        begun = time.monotonic()
        for table in own_tables(self.db, job, run.unit.start, run.unit.stop):
            run.check()
            run.moved("read", time.monotonic() - begun)
            yield table
            begun = time.monotonic()


def _in_order(results: pa.Table) -> pa.Table:
    """Return the rows by item; those of one item keep their order."""
    results = results.combine_chunks()
    order = pc.sort_indices(results, [("item", "ascending")])  # it is stable
    if pc.all(pc.equal(order, pa.array(range(len(results)), order.type))).as_py():
        return results  # as listings usually are
    return results.take(order)


def _tables(run: ShardRun, results: pa.Table) -> tuple[Product, ...]:
    files = {name: TableFile(name) for name in SCHEMAS}
    for start in range(0, len(results), _AT_ONCE):
        run.check()
        begun = time.monotonic()
        for name, table in flatten(results.slice(start, _AT_ONCE)).items():
            files[name].write(table)
        run.moved("write", time.monotonic() - begun)
    return tuple(
        Product(ArtefactRole.TABLES, suffix_of(name), file.close()) for name, file in files.items()
    )
