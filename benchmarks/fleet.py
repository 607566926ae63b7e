"""Keeps killing a fleet's workers and schedulers, and checks that it still does all its work.

    python -m benchmarks.fleet [--items 100000] [--shard-items 500] [--seed 0] [--calm]

Two schedulers and three workers share a job over small pictures; the network is mere arithmetic, so
that everything around it is tested. Every few seconds one of the five is ended by `kill -9` and
replaced. The run fails unless every listed item has succeeded and has exactly one row in the parts.

Leases are short, so that a killed worker's shards come back soon. `--calm` kills nothing.
"""

import random
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks.databases import add_options, database
from benchmarks.figures import Figure, options, quiet, report
from benchmarks.stack import Child, Stack
from core.states import JobState
from store.parts import iter_rows
from store.processes import SCHEDULER, WORKER
from tests.acceptance.pictures import encoded, picture, write_model

_SCHEDULERS, _WORKERS = 2, 3
_PER_FOLDER = 1000
_DIFFERENT = 100  # pictures; copies of them make up the other items
_CALM_SECONDS = (2.0, 6.0)  # between two kills, shortest and longest
_LONGEST_ITEM_SECONDS = 0.05
_SETTINGS = {
    "LOG_LEVEL": "warning",
    "ENGINES": "tests.acceptance.standin",
    "LEASE_SECONDS": 9,
    "HEARTBEAT_SECONDS": 1,
    "PREDICTORS": 1,
    "DECODE_THREADS": 1,
}


def write_items(root: Path, items: int) -> set[str]:
    """Write small pictures and return their keys."""
    contents = [encoded(picture(3 * seed + 1), ".jpg") for seed in range(_DIFFERENT)]
    keys = set()
    for number in range(items):
        key = f"{number // _PER_FOLDER:04d}/{number:07d}.jpg"
        path = root / key
        if number % _PER_FOLDER == 0:
            path.parent.mkdir(parents=True)
        path.write_bytes(contents[number % _DIFFERENT])
        keys.add(key)
    return keys


@dataclass
class Fleet:
    """The processes that may be killed; `deaths` counts them by role."""

    stack: Stack
    rng: random.Random
    alive: list[tuple[str, Child]] = field(default_factory=list)
    deaths: dict[str, int] = field(default_factory=lambda: {SCHEDULER: 0, WORKER: 0})
    surprises: int = 0

    def start(self) -> None:
        for role, number in ((SCHEDULER, _SCHEDULERS), (WORKER, _WORKERS)):
            for _ in range(number):
                self._start(role)
            self.stack.await_alive(role, number)

    def kill_one(self) -> None:
        """Kill a random process, and start another one of its role."""
        role, process = self.alive.pop(self.rng.randrange(len(self.alive)))
        # Only the process itself: its children must take care of their own end.
        process.kill()
        process.wait()
        self.deaths[role] += 1
        self._start(role)

    def replace_ended(self) -> None:
        """Replace processes that ended by themselves, as none should."""
        for role, process in list(self.alive):
            if process.poll() is not None:
                self.surprises += 1
                self.alive.remove((role, process))
                self._start(role)

    def _start(self, role: str) -> None:
        self.alive.append((role, self.stack.start(role)))


def run(fleet: Fleet, job: str, *, calm: bool, seconds: float) -> None:
    """Keep killing until the job has ended."""
    deadline = time.monotonic() + seconds
    next_death = time.monotonic() + fleet.rng.uniform(*_CALM_SECONDS)
    while not fleet.stack.has_ended(job):
        if time.monotonic() > deadline:
            raise TimeoutError(f"the job did not end: {fleet.stack.tally(job)}")
        if not calm and time.monotonic() > next_death:
            fleet.kill_one()
            next_death = time.monotonic() + fleet.rng.uniform(*_CALM_SECONDS)
        fleet.replace_ended()
        time.sleep(0.1)


def check(stack: Stack, job_id: str, keys: set[str]) -> None:
    """Check that all keys have succeeded, with exactly one row each."""
    job, counts = stack.job(job_id), stack.tally(job_id)
    rows = [
        (row["item"], row["state"], row["reason"])
        for part in sorted(Path(job.output, "results").glob("part-*.parquet"))
        for row in iter_rows(part)
    ]
    failed = [row for row in rows if row[1] != "succeeded"]
    assert not failed, f"{len(failed)} items did not succeed: {failed[:3]}"
    assert len(rows) == len(keys), f"{len(rows)} rows for {len(keys)} items"
    assert {row[0] for row in rows} == keys, "an item has two rows, and another none"
    assert counts.listed == counts.succeeded == len(keys), counts
    assert job.state is JobState.SUCCEEDED, job.state


def main() -> int:
    parser = options(__doc__)
    parser.add_argument("--items", type=int, default=100_000)
    parser.add_argument("--shard-items", type=int, default=500)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--calm", action="store_true", help="kill nothing")
    add_options(parser)
    parser.add_argument("--keep", type=Path, help="keep everything in this folder")
    told = parser.parse_args()
    quiet()
    with tempfile.TemporaryDirectory() as scratch, database(told) as url:
        place = told.keep.absolute() if told.keep else Path(scratch)
        keys = write_items(place / "pictures", told.items)
        with Stack(place / "home", url, **_SETTINGS) as stack:
            fleet = Fleet(stack, random.Random(told.seed))
            fleet.start()
            begun = time.perf_counter()
            job = stack.submit(
                place / "pictures", write_model(place / "model"), shard_items=told.shard_items
            )
            run(fleet, job, calm=told.calm, seconds=60 + told.items * _LONGEST_ITEM_SECONDS)
            seconds = time.perf_counter() - begun
            check(stack, job, keys)
            shards = stack.job(job).shards
            dialect = stack.db.engine.dialect.name
    figures = [
        Figure("items, each with exactly one row", told.items, "items", told.items),
        Figure("workers killed", fleet.deaths[WORKER], ""),
        Figure("schedulers killed", fleet.deaths[SCHEDULER], ""),
        Figure("processes that ended by themselves", fleet.surprises, "", 0, is_limit=True),
        Figure("items", told.items / seconds, "items/s"),
        Figure("shards", shards / seconds, "shards/s"),
    ]
    how = {
        "items": told.items,
        "shard_items": told.shard_items,
        "schedulers": _SCHEDULERS,
        "workers": _WORKERS,
        "seed": "calm" if told.calm else told.seed,
        "database": dialect,
    }
    report("fleet", figures, how, told.json)
    return 0


if __name__ == "__main__":
    sys.exit(main())
