"""Measures the CPU seconds that a shard costs outside its worker: scheduler, broker, database.

    python -m benchmarks.control_plane [--shards 10000] [--postgresql | --database-url URL]

Each shard has one item, from a list of names, and the workers are real but complete every shard at
once. This counts everything that a shard costs in its life, including planning and the job's end,
but no inference. Beforehand, the same processes are measured while idle.

With PostgreSQL (the benchmark's own server, or one on this machine given by `--database-url`) the
server's processes are counted, including their work for the workers. SQLite runs in the processes
that use it, so its cost is part of the scheduler's and the workers' figures.
"""

import sys
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path

from sqlalchemy import text

from benchmarks.databases import add_options, database
from benchmarks.figures import Figure, family_cpu_seconds, options, parent, quiet, report
from benchmarks.planning import make_list
from benchmarks.stack import Stack
from store.database import Database
from store.processes import SCHEDULER, WORKER
from tests.acceptance.pictures import write_model

_IDLE_SECONDS = 10.0
_LONGEST_SHARD_SECONDS = 0.5


def database_server(db: Database) -> int | None:
    """Return the process whose children serve the database's connections; None for SQLite."""
    if db.is_sqlite:
        return None
    return parent(int(db.read(lambda s: s.execute(text("SELECT pg_backend_pid()")).scalar_one())))


class Meter:
    """Measures CPU seconds since it was set: by part of the control plane, and for the workers."""

    def __init__(self, roles: Mapping[str, list[int]]) -> None:
        self._roles = roles
        self.set()

    def set(self) -> None:
        self._begun, self._zero = time.perf_counter(), self._read()

    def read(self) -> tuple[float, dict[str, float]]:
        """Return wall seconds, and CPU seconds by role."""
        used = {role: cpu - self._zero[role] for role, cpu in self._read().items()}
        return time.perf_counter() - self._begun, used

    def _read(self) -> dict[str, float]:
        return {role: sum(map(family_cpu_seconds, pids)) for role, pids in self._roles.items()}


def main() -> int:
    parser = options(__doc__)
    parser.add_argument("--shards", type=int, default=10_000)
    add_options(parser)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--slots", type=int, default=16, help="concurrent shards per worker")
    told = parser.parse_args()
    quiet()
    with (
        tempfile.TemporaryDirectory() as scratch,
        database(told) as url,
        Stack(Path(scratch, "home"), url, LOG_LEVEL="warning") as stack,
    ):
        model = write_model(Path(scratch, "model"))
        names = Path(make_list(Path(scratch, "names.txt"), told.shards))
        scheduler = stack.start("scheduler")
        workers = [
            stack.start(
                "benchmarks.null_worker",
                CONCURRENCY=told.slots,
                ENGINES="tests.acceptance.standin",
            )
            for _ in range(told.workers)
        ]
        stack.await_alive(SCHEDULER, 1)
        stack.await_alive(WORKER, told.workers)
        server = database_server(stack.db)
        meter = Meter(
            {
                "scheduler": [scheduler.pid],
                "broker": [stack.broker.pid],
                "database": [] if server is None else [server],
                "workers": [worker.pid for worker in workers],
            }
        )
        time.sleep(_IDLE_SECONDS)
        idle_seconds, idle = meter.read()
        meter.set()
        job = stack.submit(names, model, shard_items=1)
        stack.until(lambda: stack.has_ended(job), 60 + told.shards * _LONGEST_SHARD_SECONDS)
        seconds, used = meter.read()
        counts = stack.tally(job)
        assert counts.succeeded == counts.listed == told.shards, counts
    control = used["scheduler"] + used["broker"] + used["database"]
    idle_control = idle["scheduler"] + idle["broker"] + idle["database"]
    per_shard = 1000 / told.shards
    figures = [
        Figure("control plane", control * per_shard, "ms/shard", 10, is_limit=True),
        *(Figure(f"  {role}", cpu * per_shard, "ms/shard") for role, cpu in used.items()),
        Figure("shards", told.shards / seconds, "shards/s"),
        Figure("control plane at rest", 1000 * idle_control / idle_seconds, "ms/s"),
    ]
    how = {
        "shards": told.shards,
        "workers": told.workers,
        "slots": told.slots,
        "database": stack.db.engine.dialect.name,
    }
    report("control plane", figures, how, told.json)
    return 0


if __name__ == "__main__":
    sys.exit(main())
