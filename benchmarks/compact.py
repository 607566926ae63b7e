"""Measures what it takes to compact a large job, and what its flat tables are good for.

    python -m benchmarks.compact [--items 1000000] [--boxes 10] [--part 1000]

The job is that of `benchmarks.query`. It is planned, run by one worker in this process, and ended.
"""

import resource
import sys
import tempfile
import time
from pathlib import Path

import duckdb

from benchmarks.figures import Figure, options, quiet, report
from benchmarks.query import JOB, fill, name
from core.kinds import ShardKind
from migrations.upgrade import upgrade
from scheduler.compact import accept, adopt
from scheduler.plan import Planner
from scheduler.settle import Settler
from store import queueing
from store.compactions import compaction_of
from store.database import Database
from store.devices import Device
from store.jobs import get_job
from store.processes import WORKER, Heartbeat
from tables.columns import DETECTIONS, ITEMS
from worker.health import DeviceHealth
from worker.kinds.compact import Compact
from worker.lease_keeper import LeaseKeeper
from worker.shard import ShardRunner

_LEASE_SECONDS = 600.0
_QUERIES = {
    "boxes by label": (
        "SELECT label, count(*) FROM read_parquet($files) GROUP BY 1",
        DETECTIONS,
        1.0,
    ),
    "score and area by label": (
        "SELECT label, avg(score), avg(area) FROM read_parquet($files) GROUP BY 1",
        DETECTIONS,
        1.0,
    ),
    "boxes of one item": (
        "SELECT * FROM read_parquet($files) WHERE item = $item",
        DETECTIONS,
        0.3,
    ),
    "one item": ("SELECT * FROM read_parquet($files) WHERE item = $item", ITEMS, 0.3),
}


def main() -> int:
    """Fill, compact, ask, and print the figures."""
    parser = options("What compacting a large job takes, and what its flat tables are good for.")
    parser.add_argument("--items", type=int, default=1_000_000)
    parser.add_argument("--boxes", type=int, default=10)
    parser.add_argument("--part", type=int, default=1000)
    told = parser.parse_args()
    quiet()
    with tempfile.TemporaryDirectory(prefix="regatta-compact-") as folder:
        url = f"sqlite:///{folder}/regatta.db"
        upgrade(url)
        db = Database(url)
        output = Path(folder) / "output"
        fill(db, output, told.items, told.boxes, told.part)
        raw = sum(file.stat().st_size for file in (output / "results").iterdir())
        begun, cpu = time.monotonic(), time.process_time()
        files = _compact(db)
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        figures = [
            Figure("compaction", time.monotonic() - begun, "s"),
            Figure("CPU", time.process_time() - cpu, "s"),
            Figure("peak memory", peak / 1000, "MB"),
            Figure("parts", raw / 1e6, "MB"),
            Figure("flat tables", sum(Path(one).stat().st_size for one in files) / 1e6, "MB"),
        ]
        for what, (query, table, goal) in _QUERIES.items():
            seconds = _asked(query, [one for one in files if f".{table}." in one], told.items)
            figures.append(Figure(what, seconds, "s", goal, is_limit=True))
        db.close()
    how = {one: getattr(told, one) for one in ("items", "boxes", "part")}
    report("compact", figures, how, told.json)
    return 0


def _asked(query: str, files: list[str], items: int) -> float:
    """Return the seconds that a query takes, the best of three times."""
    seconds = []
    with duckdb.connect(config={"threads": 2}) as connection:
        for _ in range(3):
            begun = time.perf_counter()
            told = {"files": files} | ({"item": name(items // 2)} if "$item" in query else {})
            connection.execute(query, told).fetchall()
            seconds.append(time.perf_counter() - begun)
    return min(seconds)


def _compact(db: Database) -> list[str]:
    """Compact the job from beginning to end; return the files of its tables."""
    compaction = accept(db, db.read(lambda s: get_job(s, JOB)))
    planner = Planner(db, "planner", lease_seconds=_LEASE_SECONDS)
    while planner.tick():
        pass
    keeper = LeaseKeeper(
        db,
        Heartbeat("worker", WORKER, "host", 1, "0"),
        lease_seconds=_LEASE_SECONDS,
        heartbeat_seconds=_LEASE_SECONDS,
        stall_seconds=_LEASE_SECONDS,
    )
    worker = ShardRunner(
        db=db,
        kinds={ShardKind.COMPACT: Compact(db)},
        keeper=keeper,
        worker_id="worker",
        offers=(),
        lease_seconds=_LEASE_SECONDS,
        max_tries=1,
        draining=lambda: False,
        health=DeviceHealth(db, Device("host", "cpu"), end=lambda: None),
    )
    kind = ShardKind.COMPACT
    while holds := db.write(
        lambda s: queueing.queue_next(s, compaction.id, "media", kind, 1, now=db.now(s))
    ):
        assert worker.run(holds[0]) == "done"
    Settler(db).tick()
    assert adopt(db, compaction.id)
    made = db.read(lambda s: compaction_of(s, get_job(s, JOB)))
    assert made is not None
    return [f"{made.output}/{key}" for keys in made.tables.values() for key in keys]


if __name__ == "__main__":
    sys.exit(main())
