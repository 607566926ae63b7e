from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest

from core.items import ItemRef
from core.sources import Source, SourceKind
from core.states import ItemState
from predictions.answer import ClassScore, Segment
from predictions.detections import Detections
from store.part_columns import table_of
from store.parts import encode_rows
from store.results import ResultRow
from store.view import VIEW_SCHEMA, View, ViewPart
from tables import flatten as flatten_module
from tables.columns import SCHEMAS
from tables.flatten import flat, flatten, needed
from tables.sources import FlatResults


def row(index: int, **fields: Any) -> ResultRow:
    item = ItemRef(index, f"{index}.jpg", etag="e", size=9)
    fields = {"task": "detect", "model": "m", "state": ItemState.SUCCEEDED} | fields
    return ResultRow(item=item, **fields)


def found(count: int, **columns: Any) -> Detections:
    box = np.arange(count)[:, None] + np.array([0.0, 1.0, 10.0, 21.0])
    scores = np.linspace(0.9, 0.5, count)
    return Detections(
        box.astype(np.float32),
        scores.astype(np.float32),
        np.arange(count) % 2,
        ("cat", "a,\n<b>"),
        **columns,
    )


def view(rows: list[ResultRow], output: str = "/out/job") -> pa.Table:
    table = table_of(rows)
    texts = (["j1"] * len(rows), [output] * len(rows), [f"/data/{r.item.key}" for r in rows])
    return pa.table([*(pa.array(t, pa.string()) for t in texts), *table.columns], VIEW_SCHEMA)


ROWS = [
    row(0, width=40, height=30, detections=found(2), annotated="annotated/0.jpg.jpg"),
    row(1, state=ItemState.QUARANTINED, reason="truncated: at byte 7"),
    row(2, detections=found(0)),
    row(3, detections=found(1, texts=("12:30",), track_ids=np.array([7])), frame=3, pts=0.5),
    row(4, task="keypoint", detections=found(2, keypoints=np.ones((2, 17, 3), np.float32))),
    row(5, task="keypoint", detections=found(1, keypoints=np.zeros((1, 3, 3), np.float32))),
    row(6, task="classify", classes=(ClassScore("dog", 4, 0.75), ClassScore("cat", 0, 0.25))),
    row(7, task="panoptic", segments=(Segment(1, "sky", 2, False, 99, (0, 1, 2, 3)),), mask="m"),
]


def test_each_list_becomes_a_table_of_its_own() -> None:
    tables = flatten(view(ROWS))
    assert {name: table.schema for name, table in tables.items()} == dict(SCHEMAS)
    items = tables["items"].to_pylist()
    assert [one["index"] for one in items] == list(range(8))
    assert [one["found"] for one in items] == [2, None, 0, 1, 2, 1, None, None]
    assert (
        items[0]
        | {
            "job": "j1",
            "uri": "/data/0.jpg",
            "annotated": "/out/job/annotated/0.jpg.jpg",
            "size": 9,
            "etag": "e",
        }
        == items[0]
    )
    assert items[1]["reason"] == "truncated: at byte 7"
    assert items[1]["annotated"] is None
    assert items[7]["mask"] == "/out/job/m"

    boxes = tables["detections"].to_pylist()
    assert [(one["index"], one["nr"]) for one in boxes] == [
        *((0, 1), (0, 2), (3, 1)),
        *((4, 1), (4, 2), (5, 1)),
    ]
    second = boxes[1]
    assert [second[name] for name in ("x1", "y1", "x2", "y2", "area")] == [1, 2, 11, 22, 200]
    assert (second["label"], second["class_id"], second["score"]) == ("a,\n<b>", 1, 0.5)
    assert (second["width"], second["height"]) == (40, 30)
    assert (boxes[2]["text"], boxes[2]["track_id"]) == ("12:30", 7)
    assert (boxes[2]["frame"], boxes[2]["pts"]) == (3, 0.5)

    points = tables["keypoints"].to_pylist()
    assert len(points) == 2 * 17 + 3
    assert [(one["index"], one["nr"], one["point"]) for one in points[16:18]] == [
        (4, 1, 16),
        (4, 2, 0),
    ]
    assert [points[0]["joint"], points[-1]["joint"]] == ["nose", "point_2"]
    assert [(one["label"], one["nr"]) for one in tables["classes"].to_pylist()] == [
        ("dog", 1),
        ("cat", 2),
    ]
    segment = tables["segments"].to_pylist()[0]
    assert (segment["id"], segment["area"], segment["y2"]) == (1, 99, 3)
    assert segment["is_thing"] is False


@pytest.mark.parametrize("at_once", [1, 3])
def test_slices_change_nothing(at_once: int, monkeypatch: pytest.MonkeyPatch) -> None:
    table = pa.concat_tables([view(ROWS[:3]), view(ROWS)])
    whole = flatten(table)
    monkeypatch.setattr(flatten_module, "_AT_ONCE", at_once)
    assert {name: one.to_pylist() for name, one in flatten(table).items()} == {
        name: one.to_pylist() for name, one in whole.items()
    }
    assert flatten(table.slice(3))["items"].to_pylist() == flatten(view(ROWS))["items"].to_pylist()


def test_no_rows_are_empty_tables() -> None:
    tables = flatten(VIEW_SCHEMA.empty_table())
    assert {name: (table.schema, len(table)) for name, table in tables.items()} == {
        name: (schema, 0) for name, schema in SCHEMAS.items()
    }


def test_any_columns_can_be_read_by_themselves(tmp_path: Path) -> None:
    key = "results/part-000000.parquet"
    place = tmp_path / key
    place.parent.mkdir()
    place.write_bytes(encode_rows(ROWS))
    part = ViewPart("j1", str(tmp_path), key, None, len(ROWS), 9, "items/none", 0, len(ROWS))
    whole = View([part], (), {"": Source(SourceKind.FOLDER, "/data")})
    [read] = whole.reads()
    tables = flatten(read())
    assert (
        tables["items"]
        .drop_columns(["annotated", "mask"])
        .equals(flatten(view(ROWS))["items"].drop_columns(["annotated", "mask"]))
    )
    for name, table in tables.items():
        for column in table.column_names:
            alone = flat(name, read(needed(name, [column])), [column])
            assert alone.equals(table.select([column])), (name, column)
        dataset = FlatResults(name, whole, threads=2)
        assert dataset.scanner().to_table().equals(table)
        some = dataset.scanner(["model", "item"], filter=pc.field("index") == 4).to_table()
        assert some.equals(table.filter(pc.field("index") == 4).select(["model", "item"]))
