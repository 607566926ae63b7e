"""Makes an ended job with many results, as its workers leave it, without running any."""

import time
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from sqlalchemy import insert
from sqlalchemy.orm import Session

from core.items import ItemRef
from core.kinds import ShardKind
from core.layout import items_part, part_name, results_part
from core.options import JobOptions, ModelRef
from core.selection import Selection
from core.states import JobState, ShardState
from store.database import Database
from store.manifests import encode_items
from store.parquet import encode_tables
from store.part_schema import BOX, DETECTION, ROW_GROUP_ROWS, SCHEMA, SCHEMA_KEY, VERSION
from store.tables import Job, Shard

JOB = "5bench00"
"""The id of the job that `fill` makes."""

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
        shards.append(shard_row(seq, start, stop, len(content)))

    def write(s: Session) -> None:
        s.execute(insert(Job), [job_row(output, items, len(shards))])
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


def job_row(output: Path, items: int, shards: int) -> dict[str, Any]:
    """Return the row of an ended job."""
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


def shard_row(seq: int, start: int, stop: int, size: int) -> dict[str, Any]:
    """Return the row of one of its shards, whose part has so many bytes."""
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
