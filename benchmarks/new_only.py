"""Measures how long it takes to plan a night in which hardly anything is new, and its memory.

    python -m benchmarks.new_only [--items 1000000] [--changes 300] [--source folder|bucket]
        [--profile FILE]

The earlier job is planned over a tree of empty files, 1,000 in each folder, and its shards are
marked as done in the database: of parts in which everything succeeded the planner reads nothing but
the item manifests. Then as many files as `--changes` says are touched, as many are added, and as
many removed. The night is planned in a process of its own, whose highest resident size counts. The
bare listing of the same source, by the same code, says how much of the time is the source's own.

`bucket` lists the same names from memory instead, with ETags as S3 has them, and renames as many
items besides: what it costs to find contents under other names.
"""

import cProfile
import multiprocessing
import os
import random
import resource
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from hashlib import md5
from pathlib import Path
from typing import Any

from sqlalchemy import update

import scheduler.plan
from benchmarks.figures import Figure, options, quiet, report
from benchmarks.planning import make_tree
from core.comparison import Comparison
from core.sources import Source, parse_source
from core.states import JobState, ShardState
from migrations.upgrade import upgrade
from scheduler.listing import Listed, listing_of_all
from scheduler.plan import Planner
from store.tables import Job, Shard
from tests.bench import OPTIONS, Bench

_MIB = 2**20
_SHARD_ITEMS = 2_000
_PER_FOLDER = 1_000


@dataclass(frozen=True)
class Planned:
    """What planning the night took: seconds, CPU seconds, peak bytes; and the bare listing."""

    seconds: float
    cpu: float
    peak: int
    listing: float
    words: str


class Bucket:
    """A listing from memory, as of a bucket: `listing_of_all` for the planner."""

    def __init__(self, items: int, changes: int, *, is_night: bool) -> None:
        self._items = items
        shuffled = random.Random(1).sample(range(items), 3 * changes) if is_night else []
        self._touched = frozenset(shuffled[:changes])
        self._removed = frozenset(shuffled[changes : 2 * changes])
        self._renamed = frozenset(shuffled[2 * changes :])
        self._added = changes if is_night else 0

    def __call__(
        self, sources: Sequence[Source], cursor: Mapping[str, Any] | None
    ) -> Iterator[Listed]:
        """Yield the entries in the order of their keys."""
        assert len(sources) == 1
        assert cursor is None
        for number in range(self._items):
            if number in self._removed:
                continue
            folder = f"{number // _PER_FOLDER:05d}"
            key = f"{folder}/image_{number:08d}.jpg"
            if number in self._renamed:
                key = f"{folder}/image_{number:08d}x.jpg"
            yield self._listed(key, number, is_touched=number in self._touched)
        for number in range(self._added):
            yield self._listed(f"new/image_{number:08d}.jpg", self._items + number)

    @staticmethod
    def _listed(key: str, number: int, *, is_touched: bool = False) -> Listed:
        etag = md5(f"{number} {is_touched}".encode(), usedforsecurity=False).hexdigest()
        return Listed(key, {"key": key}, size=number % 1000, etag=etag, modified=1e9)


def list_from(bucket: Bucket) -> None:
    """Let this process's planner list a bucket in memory, whatever its source."""
    vars(scheduler.plan)["listing_of_all"] = bucket


def finish(bench: Bench, job: str) -> None:
    """Plan a job to its end."""
    planner = Planner(bench.db, "benchmark", lease_seconds=1e6)
    while planner.tick():
        pass
    assert bench.read_job(job).state is JobState.RUNNING, bench.read_job(job).error


def end(bench: Bench, job: str) -> None:
    """Mark all shards of a job as done, and the job as ended."""

    def mark(session: Any) -> None:
        done = {
            "state": ShardState.DONE,
            "part_attempt": 1,
            "part_digest": "0" * 64,
            "part_size": 1,
            "succeeded": Shard.items,
        }
        session.execute(update(Shard).where(Shard.job_id == job).values(**done))
        session.execute(update(Job).where(Job.id == job).values(state=JobState.SUCCEEDED))

    bench.db.write(mark)


def change(root: Path, items: int, changes: int) -> None:
    """Touch, remove and add files of a tree."""
    files = [
        root / f"{n // 100_000:03d}" / f"{n // _PER_FOLDER:05d}" / f"image_{n:08d}.jpg"
        for n in random.Random(1).sample(range(items), 2 * changes)
    ]
    for file in files[:changes]:
        os.utime(file, (1, 1))
    for file in files[changes:]:
        file.unlink()
    for number in range(changes):
        (root / "000" / "00000" / f"new_{number:08d}.jpg").touch()


def submitted(bench: Bench, name: str, source: str, since: str | None) -> None:
    """Write a job's row."""
    planned = OPTIONS.but(shard_items=_SHARD_ITEMS).to_json()
    bench.job(name, state=JobState.PLANNING, source=source, options=planned, since_job=since)


def earlier(url: str, place: Path, source: str, told: Any) -> None:
    """Plan the earlier job, in a process of its own."""
    quiet()
    bench = Bench(url, place)
    if told.source == "bucket":
        list_from(Bucket(told.items, told.changes, is_night=False))
    submitted(bench, "earlier", source, None)
    finish(bench, "earlier")
    end(bench, "earlier")
    bench.db.close()


def night(url: str, place: Path, source: str, told: Any) -> Planned:
    """Plan the night, in a process of its own."""
    quiet()
    bench = Bench(url, place)
    listed: Callable[..., Iterator[Listed]] = listing_of_all
    if told.source == "bucket":
        bucket = Bucket(told.items, told.changes, is_night=True)
        list_from(bucket)
        listed = bucket
    submitted(bench, "night", source, "earlier")
    profile = cProfile.Profile()
    begun, cpu = time.perf_counter(), time.process_time()
    if told.profile:
        profile.runcall(finish, bench, "night")
        profile.dump_stats(told.profile)
    else:
        finish(bench, "night")
    seconds, used = time.perf_counter() - begun, time.process_time() - cpu
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    begun = time.perf_counter()
    for _ in listed([parse_source(source)], None):
        pass
    bare = time.perf_counter() - begun
    words = Comparison.from_json(bench.read_job("night").comparison or {}).words
    bench.db.close()
    return Planned(seconds, used, peak, bare, words)


def main() -> int:
    parser = options(__doc__)
    parser.add_argument("--items", type=int, default=1_000_000)
    parser.add_argument("--changes", type=int, default=300)
    parser.add_argument("--source", choices=("folder", "bucket"), default="folder")
    parser.add_argument(
        "--profile", type=Path, help="write a cProfile of the planning, which slows"
    )
    told = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        place = Path(scratch)
        tree = place / "tree"
        tree.mkdir()
        source = f"{tree}/" if told.source == "bucket" else make_tree(tree, told.items)
        url = f"sqlite:///{place / 'regatta.db'}"
        upgrade(url)
        with multiprocessing.get_context("spawn").Pool(1, maxtasksperchild=1) as pool:
            pool.apply(earlier, (url, place, source, told))
            if told.source == "folder":
                change(tree, told.items, told.changes)
            found = pool.apply(night, (url, place, source, told))
    print(found.words)
    figures = [
        Figure("planned in", found.seconds, "s", 30, is_limit=True),
        Figure("of it the bare listing", found.listing, "s"),
        Figure("CPU", found.cpu, "s"),
        Figure("memory at most", found.peak / _MIB, "MiB", 500e6 / _MIB, is_limit=True),
    ]
    how = {
        "items": told.items,
        "changes": told.changes,
        "source": told.source,
        "database": "sqlite",
    }
    report("new_only", figures, how, told.json)
    return 0


if __name__ == "__main__":
    sys.exit(main())
