import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import pytest

from cli.verdict import VERDICTS, Verdict
from sample.coco import categories
from sample.dataset import Dataset
from sample.labels import JOINTS, LABELS
from sample.shipped import SHOWN
from store.locations import open_store

QUAD = [[0.0, 0.0], [60.0, 0.0], [60.0, 20.0], [0.0, 20.0]]
POINTS = [[float(10 + 4 * number), 30.0] for number in range(len(JOINTS))]
BOX = [0.0, 0.0, 100.0, 60.0]


def verdict(
    task: str, place: Path, things: list[dict[str, Any]], finds: Iterable[Mapping[str, Any]]
) -> Verdict:
    images = [{"id": 1, "file_name": "a.jpg"}]
    everywhere = {"image_id": 1, "bbox": BOX, "area": 6000}
    truth = {
        "images": images,
        "annotations": [everywhere | thing for thing in things],
        "categories": categories(),
    }
    (place / "truth.json").write_text(json.dumps(truth))
    dataset = Dataset(place, place / "truth.json", place, 1, {})
    rows = [{"item": "a.jpg", "detections": list(finds)}]
    return VERDICTS[task](dataset, rows, open_store(str(place)))


def name(text: str, row: int = 0) -> dict[str, Any]:
    quad = [[x, y + 40 * row] for x, y in QUAD]
    return {"category_id": 1, "name": {"text": text, "quad": quad, "visible": 1.0}}


def line(text: str, row: int = 0) -> dict[str, Any]:
    return {"score": 0.9, "text": text, "polygon": [[x, y + 40 * row] for x, y in QUAD]}


def rower(points: list[list[float]]) -> dict[str, Any]:
    keypoints = [value for point in points for value in (*point, 2)]
    return {
        "category_id": 1 + LABELS.index("rower"),
        "keypoints": keypoints,
        "num_keypoints": len(points),
    }


def person(shift: float = 0.0) -> dict[str, Any]:
    keypoints = [[x + shift, y, 0.9] for x, y in POINTS]
    return {"label": "rower", "score": 0.9, "box": BOX, "keypoints": keypoints}


def test_every_task_that_is_judged_has_a_model_to_show() -> None:
    assert VERDICTS.keys() == SHOWN.keys()
    assert all(place.exists() for place in SHOWN.values())


@pytest.mark.parametrize("task", ["detect", "keypoint", "ocr"])
def test_nothing_is_there(tmp_path: Path, task: str) -> None:
    assert "0 of 0" in verdict(task, tmp_path, [], []).lines[0]


def test_names_that_were_read_wrong_are_doubted_if_there_are_enough(tmp_path: Path) -> None:
    names = [name("ARGO", row) for row in range(20)]
    right = [line("ARGO", row) for row in range(20)]
    wrong = [line("ARCO", row) for row in range(11)]

    good = verdict("ocr", tmp_path, names, right)
    assert good.lines == (
        "Truth: 20 of 20 readable names were found (100%)",
        "  20 of them were read right (100% of all)",
    )
    assert good.doubts == ()
    bad = verdict("ocr", tmp_path, names, [*wrong, *right[11:]])
    assert bad.doubts == ("only 45% of the readable names were read right",)
    assert verdict("ocr", tmp_path, names, right[:13]).doubts == (
        "only 65% of the readable names were found",
    )
    assert verdict("ocr", tmp_path, names[:2], wrong[:2]).doubts == ()


def test_rowers_that_were_not_found_and_joints_elsewhere_are_doubted(tmp_path: Path) -> None:
    good = verdict("keypoint", tmp_path, [rower(POINTS)], [person()])
    assert good.lines == (
        "Truth: 1 of 1 rowers were found (100%)",
        "  their joints are 100% similar to the true ones (COCO's OKS)",
    )
    assert good.doubts == ()
    assert verdict("keypoint", tmp_path, [rower(POINTS)], [person(90.0)]).doubts == (
        "the joints are only 0% similar to the true ones",
    )
    assert verdict("keypoint", tmp_path, [rower(POINTS)] * 2, [person()]).doubts == (
        "only 50% of the rowers were found",
    )
