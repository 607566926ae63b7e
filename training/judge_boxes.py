"""How good the shipped detector is: average precision, by COCO's own code."""

import contextlib
import io
import json
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

from training.held_out import held_out, results
from training.measured import Measured

_THRESHOLD = 0.02  # average precision wants the doubtful finds as well
_HALF = 0  # the place of an overlap of 0.5 among COCO's overlaps
_WHOLE_AREA, _MOST_FINDS = 0, -1


def measure_boxes(model: Path, scenes: int, folder: Path) -> Measured:
    """Run an exported detector over held-out scenes, drawn into `folder`, and compare."""
    dataset = held_out(scenes, folder)
    truth = json.loads(dataset.truth.read_text())
    rows = results(dataset, model, folder, ["--threshold", str(_THRESHOLD)])
    # [overlaps, recalls, classes, areas, numbers of finds]; -1 where there is nothing to find
    precision = precisions(truth, _finds(truth, rows), "bbox")[..., _WHOLE_AREA, _MOST_FINDS]
    labels = [category["name"] for category in truth["categories"]]
    return Measured(
        scenes,
        {"AP50": float(precision[_HALF].mean()), "AP": float(precision.mean())},
        "AP50",
        dict(zip(labels, precision[_HALF].mean(0).tolist(), strict=True)),
    )


def precisions(truth: Mapping[str, Any], finds: Iterable[Mapping[str, Any]], kind: str) -> Any:
    """COCO's precisions [overlaps, recalls, classes, areas, numbers of finds] of `bbox` or so."""
    with contextlib.redirect_stdout(io.StringIO()):  # COCO's code talks
        coco = COCO()
        coco.dataset = truth
        coco.createIndex()
        evaluation = COCOeval(coco, coco.loadRes(list(finds)), kind)
        evaluation.evaluate()
        evaluation.accumulate()
    return np.asarray(evaluation.eval["precision"])


def _finds(
    truth: Mapping[str, Any], rows: Iterable[Mapping[str, Any]]
) -> Iterator[Mapping[str, Any]]:
    """Result rows as COCO has them."""
    numbers = {image["file_name"]: image["id"] for image in truth["images"]}
    for row in rows:
        for find in row["detections"]:
            x1, y1, x2, y2 = find["box"]
            yield {
                "image_id": numbers[row["item"]],
                "category_id": find["class_id"] + 1,
                "score": find["score"],
                "bbox": [x1, y1, x2 - x1, y2 - y1],
            }
