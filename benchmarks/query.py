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
from typing import Any

import numpy as np
import pyarrow as pa
from sqlalchemy import insert
from sqlalchemy.orm import Session

from benchmarks.figures import Figure, options, quiet, report
from core.items import ItemRef
from core.kinds import ArtefactRole, ShardKind
from core.layout import artefact, items_part, part_name, results_part
from core.options import JobOptions, ModelRef
from core.selection import Selection
from core.states import JobState, ShardState
from migrations.upgrade import upgrade
from store.compactions import suffix_of
from store.database import Database
from store.jobs import get_job
from store.manifests import encode_items
from store.parquet import encode_tables
from store.part_schema import BOX, DETECTION, ROW_GROUP_ROWS, SCHEMA, SCHEMA_KEY, VERSION
from store.tables import Job, JobCompaction, Shard
from store.view import own_tables
from tables.columns import SCHEMAS
from tables.files import TableFile
from tables.flatten import flatten

JOB, COMPACTION = "5bench00", "5bench01"
_REGATTA = Path(sys.executable).with_name("regatta")
_PARTS_A_FILE = 250
_MANIFEST = 20_000
_LABELS = 80
_SOURCE = "/data/photos"


def fill(db: Database, output: Path, items: int, boxes: int, part: int) -> None:
    """Write an ended job of so many items, with so many boxes each, in parts of `part` items."""
    for folder in ("items", "results"):
        (output / folder).mkdir(parents=True)
    for number, start in enumerate(range(0, items, _MANIFEST)):
        listed = [
            ItemRef(index, name(index), size=200_000 + index, etag=f"{index:x}-30d40")
            for index in range(start, min(start + _MANIFEST, items))
        ]
        (output / items_part(number, 1)).write_bytes(encode_items(listed))
    rng = np.random.default_rng(0)
    shards = []
    for seq, start in enumerate(range(0, items, part)):
        stop = min(start + part, items)
        content = _part(rng, start, stop, boxes)
        (output / results_part(part_name(seq))).write_bytes(content)
        shards.append(_shard(seq, start, stop, len(content)))

    def write(s: Session) -> None:
        s.execute(insert(Job), [_job(output, items, len(shards))])
        s.execute(insert(Shard), shards)

    db.write(write)


def name(index: int) -> str:
    """Return the name of an item."""
    return f"2026/camera-{index // 50_000:02d}/frame-{index:08d}.jpg"


def _part(rng: np.random.Generator, start: int, stop: int, boxes: int) -> bytes:
    table = _table(rng, start, stop, boxes)
    slices = range(0, len(table), ROW_GROUP_ROWS)
    tables = (table.slice(first, ROW_GROUP_ROWS) for first in slices)
    return encode_tables(table.schema, tables, metadata={SCHEMA_KEY: VERSION})


def _table(rng: np.random.Generator, start: int, stop: int, boxes: int) -> pa.Table:
    count, rows = (stop - start) * boxes, stop - start
    fields = {field.name: pa.nulls(count, field.type) for field in DETECTION}
    classes = rng.integers(0, _LABELS, count).astype(np.int32)
    labels = pa.array([f"class {number}" for number in range(_LABELS)])
    fields["label"] = labels.take(pa.array(classes))
    fields["class_id"] = pa.array(classes)
    fields["score"] = pa.array(rng.random(count, np.float32))
    corners = rng.random((count, 4), np.float32) * np.float32(1000)
    corners[:, 2:] += corners[:, :2]
    ends = pa.array(np.arange(0, 4 * count + 1, 4, dtype=np.int32))
    fields["box"] = pa.ListArray.from_arrays(ends, pa.array(corners.reshape(-1)), type=BOX)
    structs = pa.StructArray.from_arrays(list(fields.values()), fields=list(DETECTION))
    lists = pa.array(np.arange(0, count + 1, boxes, dtype=np.int32))
    names = [name(index) for index in range(start, stop)]
    columns: dict[str, Any] = {
        "index": range(start, stop),
        "item": names,
        "task": ["detect"] * rows,
        "model": ["m"] * rows,
        "state": ["succeeded"] * rows,
        "width": [1920] * rows,
        "height": [1080] * rows,
        "annotated": [f"annotated/{one}.jpg" for one in names],
        "source": [{"etag": f"{i:x}-30d40", "size": 200_000 + i} for i in range(start, stop)],
    }
    schema = pa.schema(list(SCHEMA)[:-1])
    arrays = [
        pa.array(columns[field.name], field.type)
        if field.name in columns
        else pa.nulls(rows, field.type)
        for field in schema
    ]
    place = schema.get_field_index("detections")
    arrays[place] = pa.ListArray.from_arrays(lists, structs, type=schema.field(place).type)
    return pa.table(arrays, schema=schema)


def _job(output: Path, items: int, shards: int) -> dict[str, Any]:
    now = time.time()
    return {
        "id": JOB,
        "name": "photos",
        "task": "detect",
        "source": _SOURCE,
        "output": str(output),
        "model": ModelRef("m", "detect", "d" * 64, "file:///models/m").to_json(),
        "options": JobOptions.of(max_pixels=10**6, max_item_bytes=10**6, jpeg_quality=90).to_json(),
        "selection": Selection().to_json(),
        "tags": [],
        "version": "0",
        "state": JobState.SUCCEEDED,
        "priority": 0,
        "generation": 1,
        "created_at": now - 3600,
        "started_at": now - 3600,
        "finished_at": now,
        "planned_at": now - 3000,
        "plan_attempt": 1,
        "plan_parts": -(-items // _MANIFEST),
        "listed": items,
        "shards": shards,
        "passed_over": {},
    }


def compact(db: Database) -> None:
    """Write the job's flat tables, as a compaction leaves them."""
    job = db.read(lambda s: get_job(s, JOB))
    results = own_tables(db, job)
    made = {**_job(Path(job.output).with_name(COMPACTION), 0, 0), "id": COMPACTION}
    output = Path(made["output"])
    shards = []
    while tables := list(islice(results, _PARTS_A_FILE)):
        files = {name: TableFile(name) for name in SCHEMAS}
        for table in tables:
            for name, rows in flatten(table).items():
                files[name].write(rows)
        artefacts = []
        for name, file in files.items():
            key = artefact(ArtefactRole.TABLES, part_name(len(shards)), suffix_of(name))
            (output / key).parent.mkdir(parents=True, exist_ok=True)
            (output / key).write_bytes(file.close())
            said = {"role": ArtefactRole.TABLES.value, "staged": "", "key": key}
            artefacts.append({**said, "sha256": "p" * 64, "bytes": 1})
        shard = {**_shard(len(shards), 0, 1, 1), "job_id": COMPACTION, "part_digest": None}
        shards.append({**shard, "kind": ShardKind.COMPACT, "artefacts": artefacts})
    row = {"job_id": COMPACTION, "of_job": JOB, "generation": 1, "adopted_at": time.time()}

    def write(s: Session) -> None:
        s.execute(insert(Job), [{**made, "kind": ShardKind.COMPACT}])
        s.execute(insert(Shard), shards)
        s.execute(insert(JobCompaction), [row])

    db.write(write)


def _shard(seq: int, start: int, stop: int, size: int) -> dict[str, Any]:
    return {
        "job_id": JOB,
        "seq": seq,
        "kind": ShardKind.INFER,
        "queue": "detect",
        "items_key": items_part(start // _MANIFEST, 1),
        "start": start % _MANIFEST,
        "stop": start % _MANIFEST + stop - start,
        "items": stop - start,
        "state": ShardState.DONE,
        "attempt": 1,
        "tries": 1,
        "available_at": 0.0,
        "part_attempt": 1,
        "part_digest": "p" * 64,
        "part_size": size,
        "succeeded": stop - start,
    }


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
