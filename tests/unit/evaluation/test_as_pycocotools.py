"""The numbers of COCO's own tool, on data with everything that it treats in a special way."""

import contextlib
import io
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pycocotools import mask as masks
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

from evaluation.case import Protocol
from evaluation.evaluate import Question, evaluate
from evaluation.truth import Wanted
from evaluation.truths.coco import read_coco
from predictions.detections import Detections
from predictions.run_lengths import RunLengths
from tests.unit.evaluation.conftest import answers, row

PICTURES, SIDE = 24, 160
LABELS = ("boat", "buoy", "gull")


def theirs(kind: str, truth: str, results: list[dict[str, Any]], ious: Any = None) -> list[float]:
    with contextlib.redirect_stdout(io.StringIO()):
        data = COCO(truth)
        run = COCOeval(data, data.loadRes(results), kind)
        if ious is not None:
            run.params.iouThrs = np.array(ious)
        run.evaluate()
        run.accumulate()
        run.summarize()
    return [float(value) for value in run.stats]


def ours(kind: str, truth: str, found: Any, **protocol: Any) -> list[float]:
    wanted = Wanted(segments=kind == "segm", keypoints=kind == "keypoints")
    question = Question(Protocol(**protocol))
    scores = evaluate(found, read_coco(truth, wanted), question, job="j", name="n").scores
    values = [one.value for one in scores.measures if one.name.startswith("A")]
    return [-1.0 if value is None else value for value in values]


def squares(rng: np.random.Generator, count: int) -> np.ndarray:
    """Boxes x, y, w, h of all of COCO's sizes; float32, as rows have them."""
    wh = rng.uniform(4, 110, (count, 2))
    xy = rng.uniform(0, SIDE - wh)
    return np.column_stack([xy, wh]).round(1).astype(np.float32)


def data(seed: int, kind: str, tmp_path: Path) -> tuple[str, list[dict[str, Any]], Any]:
    """A truth with crowds, empty pictures, boxes without area and a class that nobody finds."""
    rng = np.random.default_rng(seed)
    images = [
        {"id": 3 * n + 5, "file_name": f"d/{n}.jpg", "width": SIDE, "height": SIDE}
        for n in range(PICTURES)
    ]
    annotations: list[dict[str, Any]] = []
    results: list[dict[str, Any]] = []
    rows = []
    for n, image in enumerate(images):
        true = squares(rng, int(rng.integers(0, 7)))
        for box in true.tolist():
            one = {
                "id": len(annotations) + 1,
                "image_id": image["id"],
                "category_id": int(rng.integers(1, 4)),
                "bbox": box if rng.random() > 0.05 else [*box[:2], 0.0, box[3]],
                "area": box[2] * box[3] * 0.8,
                "iscrowd": int(kind != "keypoints" and rng.random() < 0.1),
            }
            annotations.append(one | extra(kind, box, rng, is_crowd=bool(one["iscrowd"])))
        base = np.concatenate([true + rng.normal(0, 6, true.shape), squares(rng, 2)])
        base = np.clip(base, [0, 0, 2, 2], SIDE / 2).astype(np.float32)
        scores = rng.choice([0.2, 0.4, 0.5, 0.9], len(base)).astype(np.float32)
        labels = rng.integers(0, 2, len(base))
        xyxy = np.column_stack([base[:, :2], base[:, :2] + base[:, 2:]])
        order = np.argsort(-scores, kind="stable")
        found = Detections(xyxy, scores, labels, LABELS, **columns(kind, base, rng)).select(order)
        rows.append(row(n, f"d/{n}.jpg", task(kind), width=SIDE, height=SIDE, detections=found))
        results += [as_result(kind, image["id"], found, place) for place in range(len(found))]
    categories = [{"id": n, "name": name} for n, name in enumerate(LABELS, 1)]
    path = tmp_path / "truth.json"
    path.write_text(
        json.dumps({"images": images, "annotations": annotations, "categories": categories})
    )
    return str(path), results, answers(rows)


def task(kind: str) -> str:
    return "keypoint" if kind == "keypoints" else "detect"


def mask_of(box: list[float]) -> dict[str, Any]:
    mask = np.zeros((SIDE, SIDE), np.uint8, order="F")
    x, y, wide, high = (int(v) for v in box)
    mask[y : y + high + 1, x : x + wide + 1] = 1
    one = masks.encode(mask)
    return {"size": [SIDE, SIDE], "counts": one["counts"].decode()}


def extra(
    kind: str, box: list[float], rng: np.random.Generator, *, is_crowd: bool
) -> dict[str, Any]:
    if kind == "segm":
        x, y, wide, high = box
        polygon = [[x, y, x + wide, y, x + wide, y + high]]
        return {"segmentation": mask_of(box) if is_crowd or rng.random() < 0.5 else polygon}
    if kind == "keypoints":
        points = joints(np.array([box], np.float32), rng)[0]
        points[:, 2] = rng.integers(0, 3, 17) * (rng.random() > 0.15)
        return {
            "keypoints": points.ravel().tolist(),
            "num_keypoints": int((points[:, 2] > 0).sum()),
        }
    return {}


def joints(boxes: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    places = np.linspace(0.1, 0.9, 17)
    points = boxes[:, None, :2] + boxes[:, None, 2:] * np.column_stack([places, places])[None]
    points = points + rng.normal(0, 1.5, points.shape)
    return np.concatenate([points, np.full((*points.shape[:2], 1), 0.5)], axis=2).astype(np.float32)


def columns(kind: str, boxes: np.ndarray, rng: np.random.Generator) -> dict[str, Any]:
    if kind == "segm":
        runs = [mask_of(box) for box in boxes.tolist()]
        return {"masks": tuple(RunLengths((SIDE, SIDE), one["counts"]) for one in runs)}
    return {"keypoints": joints(boxes, rng)} if kind == "keypoints" else {}


def as_result(kind: str, image: int, found: Detections, place: int) -> dict[str, Any]:
    x1, y1, x2, y2 = found.xyxy[place].astype(np.float64).tolist()
    one: dict[str, Any] = {
        "image_id": image,
        "category_id": int(found.class_ids[place]) + 1,
        "score": float(found.scores[place]),
    }
    if kind == "segm":
        assert found.masks is not None
        return one | {"segmentation": {"size": [SIDE, SIDE], "counts": found.masks[place].counts}}
    if kind == "keypoints":
        assert found.keypoints is not None
        return one | {"keypoints": found.keypoints[place].astype(np.float64).ravel().tolist()}
    return one | {"bbox": [x1, y1, x2 - x1, y2 - y1]}


@pytest.mark.parametrize("seed", range(2))
@pytest.mark.parametrize("kind", ["bbox", "segm", "keypoints"])
def test_all_statistics_are_those_of_cocos_own_tool(kind: str, seed: int, tmp_path: Path) -> None:
    truth, results, found = data(seed, kind, tmp_path)
    expected = theirs(kind, truth, results)
    assert len(expected) == (10 if kind == "keypoints" else 12)
    assert ours(kind, truth, found) == pytest.approx(expected, abs=1e-12)
    assert 0 < expected[0] < 1


def test_so_are_those_of_other_thresholds(tmp_path: Path) -> None:
    truth, results, found = data(9, "bbox", tmp_path)
    ious = (0.3, 0.5, 0.6)
    expected = theirs("bbox", truth, results, ious)
    values = ours("bbox", truth, found, ious=ious)
    assert [values[0], values[1], *values[2:]] == pytest.approx(
        [expected[0], expected[1], *expected[3:]], abs=1e-12
    )
