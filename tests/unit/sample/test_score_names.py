from typing import Any

import numpy as np
import pytest

from sample.coco import categories
from sample.score import name_agreement, quad_iou

QUAD = [[10.0, 10.0], [50.0, 10.0], [50.0, 24.0], [10.0, 24.0]]
BESIDE = [[40.0, 10.0], [80.0, 10.0], [80.0, 24.0], [40.0, 24.0]]


def truth(*, high: float = 14.0, visible: float = 1.0) -> dict[str, Any]:
    quad = [*QUAD[:2], [50.0, 10.0 + high], [10.0, 10.0 + high]]
    hull = {"image_id": 1, "category_id": 1, "bbox": (0, 0, 90, 40)}
    name = {"name": {"text": "ARGO", "quad": quad, "visible": visible}}
    return {
        "images": [{"id": 1, "file_name": "a.jpg"}],
        "annotations": [hull, hull | name],
        "categories": categories(),
    }


def row(*texts: str, polygon: list[list[float]] = QUAD, item: str = "a.jpg") -> dict[str, Any]:
    finds = [
        {"label": "text", "score": 0.9 - place / 10, "polygon": polygon, "text": text}
        for place, text in enumerate(texts)
    ]
    return {"item": item, "detections": finds}


def counts(one: dict[str, Any], *rows: dict[str, Any]) -> tuple[int, int, int]:
    found = name_agreement(one, rows)
    return found.names, found.hits, found.read


def test_nothing_is_found() -> None:
    assert counts(truth()) == (1, 0, 0)
    assert counts(truth(), row()) == (1, 0, 0)


def test_a_name_is_read_right_or_found_only() -> None:
    assert counts(truth(), row("ARGO")) == (1, 1, 1)
    assert counts(truth(), row("ARCO")) == (1, 1, 0)
    assert counts(truth(), row("ARGO", polygon=BESIDE)) == (1, 0, 0)
    assert counts(truth(), row("ARGO", item="b.jpg")) == (1, 0, 0)


def test_a_name_is_found_once_by_the_surest() -> None:
    assert counts(truth(), row("ARCO", "ARGO")) == (1, 1, 0)


def test_what_cannot_be_read_is_not_wanted() -> None:
    assert counts(truth(high=11.0), row("ARGO")) == (0, 0, 0)
    assert counts(truth(visible=0.8), row("ARGO")) == (0, 0, 0)


def test_turned_quads_share_what_they_share() -> None:
    square = np.array([[0, 0], [4, 0], [4, 4], [0, 4]], np.float32)
    diamond = np.array([[2, -2], [6, 2], [2, 6], [-2, 2]], np.float32)
    # The square of 16 lies within the diamond of 32.
    assert quad_iou(square, diamond) == pytest.approx(0.5)
    assert quad_iou(square, square + 10) == 0
    assert quad_iou(square * 0, square * 0) == 0
