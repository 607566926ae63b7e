"""Measures how soon a small job that comes behind a large one has its first result.

    python -m benchmarks.fair_share [--items 1000000] [--seconds 12] [--long-listings 0]

The workers are real but do nothing for a fixed time for each item. A large job of a list of names
keeps them busy, in shards of 1,000 items; small jobs of 50 names come one at a time, each at
another moment of the shards that run. The figure is the time from the submit of a small job to its
first committed rows, in units of the median duration of the large job's shards, none of which is
interrupted.

With `--long-listings`, so many further large jobs are being listed when the small ones come.
"""

import statistics
import sys
import tempfile
import time
from pathlib import Path

from sqlalchemy import select

from benchmarks.figures import Figure, options, quiet, report
from benchmarks.planning import make_list
from benchmarks.stack import Stack
from store.database import Database
from store.processes import SCHEDULER, WORKER
from store.tables import Shard
from tests.acceptance.pictures import write_model

_SMALL = 50
_SHARD_ITEMS = 1000
_GOAL = 2.0


def durations(db: Database, job: str) -> list[float]:
    """Return the seconds from claim to commit of a job's shards that have ended."""
    ended = (Shard.job_id == job, Shard.part_attempt.is_not(None))
    rows = db.read(lambda s: s.execute(select(Shard.started_at, Shard.finished_at).where(*ended)))
    return [float(stop) - float(start) for start, stop in rows.all()]


def await_first(stack: Stack, job: str, seconds: float) -> float:
    """Wait for a job's first committed rows; return when that was, by the database's clock."""
    deadline = time.monotonic() + seconds
    query = select(Shard.finished_at).where(Shard.job_id == job, Shard.part_attempt.is_not(None))
    while time.monotonic() < deadline:
        if (found := stack.db.read(lambda s: s.scalar(query.limit(1)))) is not None:
            return float(found)
        time.sleep(0.05)
    raise TimeoutError(f"no rows within {seconds:g} s; see the logs in {stack.folder}")


def main() -> int:
    parser = options(__doc__)
    parser.add_argument("--items", type=int, default=1_000_000)
    parser.add_argument("--seconds", type=float, default=12.0, help="that a shard takes")
    parser.add_argument("--rounds", type=int, default=6)
    parser.add_argument("--long-listings", type=int, default=0)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--slots", type=int, default=2, help="concurrent shards per worker")
    told = parser.parse_args()
    quiet()
    with (
        tempfile.TemporaryDirectory() as scratch,
        Stack(Path(scratch, "home"), None, LOG_LEVEL="warning") as stack,
    ):
        model = write_model(Path(scratch, "model"))
        many = Path(make_list(Path(scratch, "many.txt"), told.items))
        few = Path(make_list(Path(scratch, "few.txt"), _SMALL))
        stack.start("scheduler")
        for _ in range(told.workers):
            stack.start(
                "benchmarks.null_worker",
                NULL_SECONDS=told.seconds / _SHARD_ITEMS,
                CONCURRENCY=told.slots,
                ENGINES="tests.acceptance.standin",
            )
        stack.await_alive(SCHEDULER, 1)
        stack.await_alive(WORKER, told.workers)
        large = stack.submit(many, model, shard_items=_SHARD_ITEMS)
        for _ in range(told.long_listings):
            stack.submit(many, model, shard_items=_SHARD_ITEMS)
        await_first(stack, large, 60)
        waits = []
        for number in range(told.rounds):
            time.sleep(told.seconds * (1 + number / told.rounds))
            small = stack.submit(few, model)
            ended = await_first(stack, small, 60 * told.seconds)
            waits.append(ended - stack.job(small).created_at)
        shard = statistics.median(durations(stack.db, large))
    ratios = [wait / shard for wait in waits]
    figures = [
        Figure("first result, worst", max(ratios), "shard durations", _GOAL, is_limit=True),
        Figure("first result, median", statistics.median(ratios), "shard durations"),
        Figure("median shard", shard, "s"),
    ]
    how = {name: getattr(told, name) for name in ("items", "rounds", "workers", "slots")}
    report("fair share", figures, how | {"long listings": told.long_listings}, told.json)
    return 0


if __name__ == "__main__":
    sys.exit(main())
