"""Measures `regatta query` and `regatta results --item` on a large job, as parts and compacted.

    python -m benchmarks.query [--items 1000000] [--boxes 10] [--part 1000] [--rounds 5]

Each command runs as a process, including Python's start, on a job of these items with as many
boxes each, in parts of so many items, as its workers leave it. The reference is
`regatta --version`, which shows what any command costs. All run in turn.
"""

import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from sqlalchemy import insert
from sqlalchemy.orm import Session

from benchmarks.figures import Figure, options, quiet, report
from benchmarks.synthetic import JOB, fill, job_row, name, shard_row
from core.kinds import ArtefactRole, ShardKind
from core.layout import artefact, part_name
from migrations.upgrade import upgrade
from store.compactions import suffix_of
from store.database import Database
from store.jobs import get_job
from store.tables import Job, JobCompaction, Shard
from store.view import own_tables
from tables.columns import SCHEMAS
from tables.files import TableFile
from tables.flatten import flatten

COMPACTION = "5bench01"
_REGATTA = Path(sys.executable).with_name("regatta")
_PARTS_A_FILE = 250


def compact(db: Database) -> None:
    """Write the job's flat tables, as a compaction leaves them."""
    job = db.read(lambda s: get_job(s, JOB))
    results = own_tables(db, job)
    made = {**job_row(Path(job.output).with_name(COMPACTION), 0, 0), "id": COMPACTION}
    output = Path(made["output"])
    shards = []
    while tables := list(islice(results, _PARTS_A_FILE)):
        files = {kind: TableFile(kind) for kind in SCHEMAS}
        for table in tables:
            for kind, rows in flatten(table).items():
                files[kind].write(rows)
        artefacts = []
        for kind, file in files.items():
            key = artefact(ArtefactRole.TABLES, part_name(len(shards)), suffix_of(kind))
            (output / key).parent.mkdir(parents=True, exist_ok=True)
            (output / key).write_bytes(file.close())
            said = {"role": ArtefactRole.TABLES.value, "staged": "", "key": key}
            artefacts.append({**said, "sha256": "p" * 64, "bytes": 1})
        shard = {**shard_row(len(shards), 0, 1, 1), "job_id": COMPACTION, "part_digest": None}
        shards.append({**shard, "kind": ShardKind.COMPACT, "artefacts": artefacts})
    row = {"job_id": COMPACTION, "of_job": JOB, "generation": 1, "adopted_at": time.time()}

    def write(s: Session) -> None:
        s.execute(insert(Job), [{**made, "kind": ShardKind.COMPACT}])
        s.execute(insert(Shard), shards)
        s.execute(insert(JobCompaction), [row])

    db.write(write)


@dataclass(frozen=True)
class Took:
    """Seconds of wall and CPU time."""

    wall: float
    cpu: float


def took(home: Path, *words: str) -> Took:
    """Return how long a command took, from before its start to after its end."""
    begun, before = time.perf_counter(), _children_cpu()
    subprocess.run(
        [_REGATTA, *words],
        env={"REGATTA_HOME": str(home), "PATH": os.environ["PATH"]},
        stdout=subprocess.DEVNULL,
        check=True,
    )
    return Took(time.perf_counter() - begun, _children_cpu() - before)


def _children_cpu() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def _measured(home: Path, rounds: int, state: str) -> list[Figure]:
    middle = name(500_001)
    count_labels = "select label, count(*) from detections group by label"
    mean = "select label, avg(score), sum(area) from detections group by label"
    one = f"select * from detections where item = '{middle}'"  # noqa: S608 - a name of our own
    commands = {
        "regatta --version": (("--version",), None),
        "query: boxes by label": (("query", JOB, count_labels), 1 if state == "compacted" else 6),
        "query: mean score and area by label": (("query", JOB, mean), None),
        "query: boxes of an item": (("query", JOB, one), None),
        "results --item": (("results", JOB, "--item", middle), 0.3),
    }
    times = [
        {title: took(home, *words) for title, (words, _) in commands.items()} for _ in range(rounds)
    ]
    return [
        figure
        for title, (_, goal) in commands.items()
        for figure in (
            Figure(
                f"{state}: {title}",
                statistics.median(turn[title].wall for turn in times),
                "s",
                goal,
                is_limit=True,
            ),
            Figure("  CPU", statistics.median(turn[title].cpu for turn in times), "s"),
        )
    ]


def main() -> int:
    parser = options(__doc__)
    parser.add_argument("--items", type=int, default=1_000_000)
    parser.add_argument("--boxes", type=int, default=10)
    parser.add_argument("--part", type=int, default=1000)
    parser.add_argument("--rounds", type=int, default=5)
    told = parser.parse_args()
    quiet()
    with tempfile.TemporaryDirectory() as scratch:
        home = Path(scratch)
        url = f"sqlite:///{home / 'regatta.db'}"
        upgrade(url)
        db = Database(url)
        fill(db, home / "outputs" / JOB, told.items, told.boxes, told.part)
        figures = _measured(home, told.rounds, "parts")
        compact(db)
        figures += _measured(home, told.rounds, "compacted")
        db.close()
    how = {one: getattr(told, one) for one in ("items", "boxes", "part", "rounds")}
    report("query", figures, how, told.json)
    return 0


if __name__ == "__main__":
    sys.exit(main())
