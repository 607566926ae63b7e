"""Shards of the kind `compact`: flat tables of some of another job's results."""

import time
from collections.abc import Iterator
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.compute as pc

from core.compacting import Compacted
from core.errors import FatalError
from core.kinds import ArtefactRole
from core.states import ENDED_JOBS
from store import carried
from store.compactions import suffix_of
from store.database import Database
from store.jobs import get_job
from store.tables import Job
from store.view import VIEW_SCHEMA, carried_table, own_tables
from tables.columns import SCHEMAS
from tables.files import TableFile
from tables.flatten import flatten
from worker.kinds.kind import KindRunner, Outcome, Product, counts_of
from worker.kinds.moved_results import MovedResults
from worker.run import ShardRun

_AT_ONCE = 8192  # rows that are flattened before they are written


@dataclass(frozen=True, slots=True)
class Compact(KindRunner):
    """Writes flat tables, sorted by item. Memory holds the shard's results, and the files made."""

    db: Database

    def run(self, run: ShardRun) -> Outcome:
        """Return the shard's tables, and what it has moved; see `KindRunner.run`."""
        unit = run.unit
        said = Compacted.from_json(unit.spec)
        job = self.db.read(lambda s: get_job(s, said.job))
        if job.generation != said.generation or job.state not in ENDED_JOBS:
            raise FatalError(f"job {job.id} was retried meanwhile")
        if not unit.items_key:
            results = _read(run, own_tables(self.db, job, unit.start, unit.stop))
            return Outcome(_tables(run, _in_order(results)))
        moved = MovedResults(self.db, unit, said.moved)
        manifests = [carried.SCHEMA.empty_table()]
        results = _read(run, self._taken_over(run, job, moved, manifests))
        products = _tables(run, _in_order(results))
        if not said.moved:
            return Outcome(products)
        listed = carried.encode_carried(pa.concat_tables(manifests))
        products = (*products, Product(ArtefactRole.CARRIED, ".parquet", listed))
        part = moved.part()
        if part is None:
            return Outcome(products)
        rows = Product(ArtefactRole.ROWS, ".parquet", part, moved.legends)
        return Outcome((rows, *products), counts_of(part))

    def _taken_over(
        self, run: ShardRun, job: Job, moved: MovedResults, manifests: list[pa.Table]
    ) -> Iterator[pa.Table]:
        """Yield what the job has taken over, as it lies from now on, and list where that is."""
        said = Compacted.from_json(run.unit.spec)
        for origin in carried.origins([(run.unit.output, run.unit.items_key)]):
            rows, listed = carried_table(job, origin)
            if origin.job in said.moved:
                rows, manifest = moved.add(run, rows, listed, origin.job)
            else:
                manifest = origin.rows
            manifests.append(manifest)
            yield rows


def _read(run: ShardRun, tables: Iterator[pa.Table]) -> pa.Table:
    found, begun = [VIEW_SCHEMA.empty_table()], time.monotonic()
    for table in tables:
        run.check()
        run.moved("read", time.monotonic() - begun)
        found.append(table)
        begun = time.monotonic()
    return pa.concat_tables(found)


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
