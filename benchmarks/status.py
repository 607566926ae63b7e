"""Measures the milliseconds from typing `regatta status` or `regatta jobs` to the last line.

    python -m benchmarks.status [--jobs 1000] [--shards 100000] [--rounds 15]

Each command runs as a process, including Python's start, on a SQLite database with these jobs and
shards, most of them ended, a few running. The reference is `regatta --version`, which opens no
database and so shows what any command costs. All run in turn.
"""

import os
import random
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlalchemy import insert
from sqlalchemy.orm import Session

from benchmarks.figures import Figure, options, quiet, report
from core.kinds import ShardKind
from core.options import JobOptions, ModelRef
from core.profile import EngineOffer, ExecutionProfile, Offered
from core.selection import Selection
from core.states import JobState, ShardState
from migrations.upgrade import upgrade
from store import processes
from store.database import Database
from store.tables import Job, Shard

_REGATTA = Path(sys.executable).with_name("regatta")
_OFFER = EngineOffer("paddle", "3.2.2", "cpu-test", "fp32")
_PROFILE = ExecutionProfile(
    "paddle", "3.2.2", "cpu-test", "fp32", batch_size=8, threads=1, jpeg_quality=90
)
_ITEMS = 1000  # per shard
_LIVE_EVERY = 50  # one job in this many has not ended
_TIMINGS = {"fetch": 1.5, "decode": 9.0, "predict": 40.0, "finish": 3.0, "total": 60.0}


def fill(db: Database, jobs: int, shards: int) -> str:
    """Write jobs and shards as after weeks of work; return a running job's id."""
    rng = random.Random(0)
    now = time.time()
    sizes = _sizes(rng, jobs, shards)
    rows = [_job(number, size, now) for number, size in enumerate(sizes)]

    def write(s: Session) -> None:
        s.execute(insert(Job), rows)
        for row in rows:
            s.execute(insert(Shard), list(_shards(row, now)))
        worker = processes.Heartbeat(
            id="w",
            role=processes.WORKER,
            host="h",
            pid=1,
            version="0",
            slots=2,
            queues=("detect",),
            offers=(Offered(_OFFER),),
        )
        scheduler = processes.Heartbeat(
            id="s", role=processes.SCHEDULER, host="h", pid=2, version="0"
        )
        for heartbeat in (worker, scheduler):
            # Both count as alive, however long this benchmark takes.
            processes.beat(s, heartbeat, now=now + 3600)

    db.write(write)
    return str(max((row for row in rows if row["state"] is JobState.RUNNING), key=_size)["id"])


def _sizes(rng: random.Random, jobs: int, shards: int) -> list[int]:
    """Return the number of shards of each job: a few large jobs, many small ones."""
    shares = [rng.paretovariate(1.2) for _ in range(jobs)]
    return [max(1, round(shards * share / sum(shares))) for share in shares]


def _size(row: dict[str, Any]) -> int:
    return int(row["shards"])


def _job(number: int, shards: int, now: float) -> dict[str, Any]:
    is_live = number % _LIVE_EVERY == 0
    begun = now - 3600 if is_live else now - 86_400 - 600.0 * number
    return {
        "id": f"{number:08x}",
        "name": f"photos-{number}",
        "task": "detect",
        "source": f"/data/photos-{number}/",
        "output": f"/data/outputs/{number:08x}",
        "model": ModelRef("m", "detect", "d" * 64, "file:///models/m").to_json(),
        "options": JobOptions.of(max_pixels=10**6, max_item_bytes=10**6, jpeg_quality=90).to_json(),
        "selection": Selection().to_json(),
        "tags": ["nightly"],
        "version": "0",
        "state": JobState.RUNNING if is_live else JobState.SUCCEEDED,
        "priority": 0,
        "generation": 1,
        "profile": _PROFILE.to_json(),
        "created_at": begun - 1,
        "started_at": begun,
        "finished_at": None if is_live else begun + 30.0 * shards,
        "planned_at": begun,
        "plan_attempt": 1,
        "plan_parts": 1,
        "listed": shards * _ITEMS,
        "shards": shards,
        "passed_over": {},
    }


def _shards(job: dict[str, Any], now: float) -> Iterator[dict[str, Any]]:
    """Yield a job's shards; half of a live job's are done, and two are running."""
    size = _size(job)
    done = size // 2 if job["state"] is JobState.RUNNING else size
    for seq in range(size):
        is_done, is_running = seq < done, done <= seq < done + 2
        finished = (job["finished_at"] or now) - 30.0 * (done - seq) + 1
        state = ShardState.PENDING
        if is_done or is_running:
            state = ShardState.DONE if is_done else ShardState.RUNNING
        yield {
            "job_id": job["id"],
            "seq": seq,
            "kind": ShardKind.INFER,
            "queue": "detect",
            "items_key": f"items/part-{seq // 20:05d}-1.parquet",
            "start": seq % 20 * _ITEMS,
            "stop": (seq % 20 + 1) * _ITEMS,
            "items": _ITEMS,
            "state": state,
            "attempt": int(is_done or is_running),
            "tries": int(is_done or is_running),
            "available_at": job["created_at"],
            "started_at": finished - 60 if is_done else now - 20 if is_running else None,
            "finished_at": finished if is_done else None,
            "lease_until": now + 3600 if is_running else None,
            "worker_id": "w" if is_running else None,
            "progress": _ITEMS // 3 if is_running else 0,
            "part_attempt": 1 if is_done else None,
            "part_digest": "p" * 64 if is_done else None,
            "part_size": 50_000 if is_done else None,
            "succeeded": _ITEMS if is_done else 0,
            "timings": _TIMINGS if is_done else None,
        }


@dataclass(frozen=True)
class Took:
    """Milliseconds of wall and CPU time."""

    wall: float
    cpu: float


def took(home: Path, *words: str) -> Took:
    """Return how long a command took, from before its start to after its end."""
    # Without bytecode, every start compiles Regatta anew.
    unwanted = ("REGATTA_", "PYTHONDONTWRITEBYTECODE")
    environment = {k: v for k, v in os.environ.items() if not k.startswith(unwanted)}
    begun, before = time.perf_counter(), _children_cpu()
    subprocess.run(
        [_REGATTA, *words],
        env={**environment, "REGATTA_HOME": str(home)},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        check=True,
    )
    return Took(1000 * (time.perf_counter() - begun), 1000 * (_children_cpu() - before))


def _children_cpu() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def main() -> int:
    parser = options(__doc__)
    parser.add_argument("--jobs", type=int, default=1000)
    parser.add_argument("--shards", type=int, default=100_000)
    parser.add_argument("--rounds", type=int, default=15)
    told = parser.parse_args()
    quiet()
    with tempfile.TemporaryDirectory() as scratch:
        home = Path(scratch)
        url = f"sqlite:///{home / 'regatta.db'}"
        upgrade(url)
        db = Database(url)
        largest = fill(db, told.jobs, told.shards)
        db.close()
        commands = {
            "regatta --version": ("--version",),
            "regatta status": ("status",),
            "regatta status JOB (the largest)": ("status", largest),
            "regatta jobs": ("jobs",),
            "regatta jobs --limit 1000": ("jobs", "--limit", "1000"),
        }
        times = [
            {name: took(home, *words) for name, words in commands.items()}
            for _ in range(told.rounds)
        ]
    figures = [
        figure
        for name in commands
        for figure in (
            Figure(
                name,
                statistics.median(turn[name].wall for turn in times),
                "ms",
                300 if name in {"regatta status", "regatta jobs"} else None,
                is_limit=True,
            ),
            Figure("  CPU", statistics.median(turn[name].cpu for turn in times), "ms"),
        )
    ]
    how = {"jobs": told.jobs, "shards": told.shards, "rounds": told.rounds, "database": "sqlite"}
    report("status", figures, how, told.json)
    return 0


if __name__ == "__main__":
    sys.exit(main())
