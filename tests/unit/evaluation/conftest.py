"""Results and truths to measure."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from core.items import ItemRef
from core.states import ItemState
from evaluation.answers import Answers, read_answers
from predictions.answer import ClassScore
from predictions.detections import Detections
from store.parts import ResultRow, encode_rows, read_table
from store.view import VIEW_SCHEMA


def view(rows: Sequence[ResultRow], output: str = "/out", root: str = "/photos") -> pa.Table:
    """The rows as a job's view has them."""
    table = read_table(encode_rows(rows))
    own = [pa.repeat(pa.scalar(text), len(table)) for text in ("job", output)]
    uris = pa.array([f"{root}/{item}" for item in table["item"].to_pylist()])
    return pa.table([*own, uris, *table.columns], schema=VIEW_SCHEMA)


def row(index: int, item: str, task: str = "detect", **fields: Any) -> ResultRow:
    usual = {"model": "m", "state": ItemState.SUCCEEDED, "width": 100, "height": 80}
    return ResultRow(item=ItemRef(index, item, size=9), task=task, **(usual | fields))


def boxes(*found: tuple[Sequence[float], float, int], labels: Sequence[str]) -> Detections:
    return Detections(
        np.array([box for box, _, _ in found], np.float32).reshape(-1, 4),
        np.array([score for _, score, _ in found], np.float32),
        np.array([label for _, _, label in found], np.int32),
        tuple(labels),
    )


def answers(rows: Sequence[ResultRow], **more: Any) -> Answers:
    return read_answers([view(rows, **more)], None)


def classes(*found: tuple[str, float]) -> tuple[ClassScore, ...]:
    return tuple(ClassScore(name, number, score) for number, (name, score) in enumerate(found))


def coco(folder: Path, name: str = "truth.json", **parts: Any) -> str:
    """A COCO file of two pictures and two classes, unless said."""
    usual: dict[str, Any] = {
        "images": [
            {"id": 1, "file_name": "a.jpg", "width": 100, "height": 80},
            {"id": 2, "file_name": "b.jpg", "width": 100, "height": 80},
        ],
        "categories": [{"id": 1, "name": "boat"}, {"id": 7, "name": "buoy"}],
        "annotations": [
            {"id": 0, "image_id": 1, "category_id": 1, "bbox": [10, 10, 20, 20]},
            {"id": 1, "image_id": 1, "category_id": 7, "bbox": [50, 10, 20, 20]},
            {"id": 2, "image_id": 2, "category_id": 1, "bbox": [0, 0, 60, 60]},
        ],
    }
    path = folder / name
    path.write_text(json.dumps(usual | parts))
    return str(path)


@pytest.fixture
def found() -> Answers:
    """What finds everything in `coco`'s pictures, and one thing too many."""
    labels = ("boat", "buoy")
    first = boxes(
        ((10, 10, 30, 30), 0.9, 0),
        ((50, 10, 70, 30), 0.8, 1),
        ((0, 60, 9, 70), 0.3, 0),
        labels=labels,
    )
    second = boxes(((0, 0, 60, 60), 0.7, 0), labels=labels)
    return answers(
        [
            row(0, "a.jpg", detections=first),
            row(1, "b.jpg", detections=second),
            row(2, "c.jpg", detections=second),
        ]
    )
