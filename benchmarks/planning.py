"""Measures how many objects per second the planner makes shards of, and its memory.

    python -m benchmarks.planning [--objects 1000000] [--source folder|list] [--profile FILE]

`folder` lists a tree of empty files, 1,000 in each folder; `list` reads a text file of names. The
reference walks the same folders with os.scandir and gets each file's status, or reads the same
lines: the cost of the bare listing. Both run in turn, three times.

Memory is the process's resident size, sampled while it plans. Its growth is the highest sample less
the size before. Whether it stays flat shows in the highest samples around two moments: when a tenth
of the objects were planned, and when all were.
"""

import cProfile
import os
import statistics
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from benchmarks.figures import Figure, options, quiet, report
from benchmarks.memory import Sampled, resident
from core.states import JobState
from migrations.upgrade import upgrade
from scheduler.plan import Planner
from tests.bench import Bench

_PER_FOLDER = 1000
_ROUNDS = 3
_MIB = 2**20


@dataclass(frozen=True)
class Planned:
    seconds: float
    cpu: float
    grown: int
    grown_after_a_tenth: int


def make_tree(root: Path, objects: int) -> str:
    """Make a tree of empty files, and return it as a source."""
    for number in range(objects):
        if number % _PER_FOLDER == 0:
            folder = root / f"{number // 100_000:03d}" / f"{number // _PER_FOLDER:05d}"
            folder.mkdir(parents=True)
        os.close(os.open(folder / f"image_{number:08d}.jpg", os.O_CREAT | os.O_WRONLY))
    return f"{root}/"


def make_list(path: Path, objects: int) -> str:
    """Write a list of names, and return it as a source."""
    with path.open("w", encoding="utf-8") as file:
        file.writelines(
            f"{number // _PER_FOLDER:05d}/image_{number:08d}.jpg\n" for number in range(objects)
        )
    return str(path)


def planned(bench: Bench, source: str, objects: int, name: str) -> Planned:
    """Plan one job to its end."""
    bench.job(name, state=JobState.PLANNING, source=source)
    planner = Planner(bench.db, "benchmark", lease_seconds=1e6)
    before = resident()
    tenth = None
    with Sampled() as memory:
        begun, cpu = time.perf_counter(), time.process_time()
        while planner.tick():
            if tenth is None and bench.read_job(name).listed >= objects / 10:
                tenth = time.perf_counter()
        ended, cpu_end = time.perf_counter(), time.process_time()
    job = bench.read_job(name)
    assert job.listed == objects, f"{job.listed} of {objects} objects were planned"
    assert job.state is JobState.RUNNING
    a_tenth = memory.peak_between(begun, tenth or ended)
    return Planned(ended - begun, cpu_end - cpu, memory.peak - before, memory.peak - a_tenth)


def reference(source: str) -> float:
    """Return the seconds that it takes to read the same listing and do nothing with it."""
    begun = time.perf_counter()
    if source.endswith("/"):
        _walk(source)
    else:
        with Path(source).open("rb") as file:
            for line in file:
                line.rstrip(b"\n").decode()
    return time.perf_counter() - begun


def _walk(folder: str) -> None:
    with os.scandir(folder) as entries:
        for entry in sorted(entries, key=lambda e: e.name):
            if entry.is_dir():
                _walk(entry.path)
            else:
                entry.stat()


def main() -> int:
    parser = options(__doc__)
    parser.add_argument("--objects", type=int, default=1_000_000)
    parser.add_argument("--source", choices=("folder", "list"), default="folder")
    parser.add_argument("--profile", type=Path, help="write a cProfile of one more planning")
    told = parser.parse_args()
    quiet()
    with tempfile.TemporaryDirectory() as scratch:
        place = Path(scratch)
        if told.source == "folder":
            source = make_tree(place / "tree", told.objects)
        else:
            source = make_list(place / "names.txt", told.objects)
        url = f"sqlite:///{place / 'regatta.db'}"
        upgrade(url)
        bench = Bench(url, place)
        first = planned(bench, source, told.objects, "first")
        rounds = [
            (reference(source), planned(bench, source, told.objects, f"round-{number}"))
            for number in range(_ROUNDS)
        ]
        if told.profile:
            with cProfile.Profile() as profile:
                planned(bench, source, told.objects, "profiled")
            profile.dump_stats(told.profile)
        bench.db.close()
    plans = [plan for _, plan in rounds]
    # Later plannings may reuse memory that the first one left free.
    cold = [first, *plans]
    figures = [
        Figure(
            "planned",
            statistics.median(told.objects / plan.seconds for plan in plans),
            "objects/s",
            20_000,
        ),
        Figure(
            "bare listing",
            statistics.median(told.objects / seconds for seconds, _ in rounds),
            "objects/s",
        ),
        Figure("CPU", statistics.median(p.cpu * 1e6 / told.objects for p in plans), "us/object"),
        Figure("memory grown", max(p.grown for p in cold) / _MIB, "MiB", 200, is_limit=True),
        Figure(
            "of it after the first tenth",
            max(p.grown_after_a_tenth for p in cold) / _MIB,
            "MiB",
        ),
    ]
    how = {"objects": told.objects, "source": told.source, "database": "sqlite"}
    report("planning", figures, how, told.json)
    return 0


if __name__ == "__main__":
    sys.exit(main())
