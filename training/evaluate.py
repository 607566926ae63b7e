"""Measures the shipped detector on scenes that it never saw: `python -m training.evaluate`.

The pictures go through Regatta as anybody's would (`regatta run`), and COCO's own code compares
the results with the truth.
"""

import argparse
import contextlib
import io
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

from sample.dataset import dataset_at
from sample.shipped import DETECTOR

HELD_OUT_SEEDS = 20_000_000
"""Where the seeds of held-out scenes begin; training never goes that far."""

HELD_OUT_SCENES = 500
_THRESHOLD = 0.02  # average precision wants the doubtful finds as well
_HALF = 0  # the place of an overlap of 0.5 among COCO's overlaps
_WHOLE_AREA, _MOST_FINDS = 0, -1


@dataclass(frozen=True, slots=True)
class Measured:
    """Average precisions, 0 to 1: `ap` over overlaps from 0.5 to 0.95, `ap50` at 0.5."""

    scenes: int
    ap: float
    ap50: float
    class_ap50: dict[str, float]


def measure(model: Path, scenes: int, folder: Path) -> Measured:
    """Run an exported model over held-out scenes, drawn into `folder`, and compare."""
    dataset = dataset_at(folder / "held-out", scenes, seed=HELD_OUT_SEEDS)
    truth = json.loads(dataset.truth.read_text())
    finds = list(_finds(truth, _results(dataset.folder, model, folder / "home")))
    with contextlib.redirect_stdout(io.StringIO()):  # COCO's code talks
        coco = COCO()
        coco.dataset = truth
        coco.createIndex()
        evaluation = COCOeval(coco, coco.loadRes(finds), "bbox")
        evaluation.evaluate()
        evaluation.accumulate()
    # [overlaps, recalls, classes, areas, numbers of finds]; -1 where there is nothing to find
    precision = np.asarray(evaluation.eval["precision"])[..., _WHOLE_AREA, _MOST_FINDS]
    labels = [category["name"] for category in truth["categories"]]
    class_ap50 = dict(zip(labels, precision[_HALF].mean(0).tolist(), strict=True))
    return Measured(scenes, float(precision.mean()), float(precision[_HALF].mean()), class_ap50)


def _results(pictures: Path, model: Path, home: Path) -> Iterator[dict[str, Any]]:
    environment = {**os.environ, "REGATTA_HOME": str(home)}
    regatta: list[str | Path] = [sys.executable, "-P", "-c", "from cli.main import main; main()"]
    run: list[str | Path] = [
        "run",
        pictures,
        "--model",
        model,
        "--threshold",
        str(_THRESHOLD),
        "--no-annotate",
    ]
    # Quarantined items, which the dataset has on purpose, make the exit code 3.
    subprocess.run([*regatta, *run], env=environment, check=False, stdout=subprocess.DEVNULL)
    printed = subprocess.run(
        [*regatta, "results", "latest", "--state", "succeeded", "--format", "ndjson"],
        env=environment,
        check=True,
        stdout=subprocess.PIPE,
    ).stdout
    yield from map(json.loads, printed.splitlines())


def _finds(truth: dict[str, Any], rows: Iterator[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    """Result rows as COCO has them.

    Raises:
        RuntimeError: a picture has no result.
    """
    numbers = {image["file_name"]: image["id"] for image in truth["images"]}
    for row in rows:
        number = numbers.pop(row["item"])
        for find in row["detections"]:
            x1, y1, x2, y2 = find["box"]
            yield {
                "image_id": number,
                "category_id": find["class_id"] + 1,
                "score": find["score"],
                "bbox": [x1, y1, x2 - x1, y2 - y1],
            }
    if numbers:
        raise RuntimeError(f"{len(numbers)} pictures have no result: {sorted(numbers)[:3]} ...")


def main() -> None:
    """Measure, and print the figures as JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", type=Path, default=DETECTOR, help="an exported model")
    parser.add_argument("--scenes", type=int, default=HELD_OUT_SCENES)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        measured = measure(arguments.model.resolve(), arguments.scenes, Path(folder))
    figures = {
        "scenes": measured.scenes,
        "AP": round(measured.ap, 3),
        "AP50": round(measured.ap50, 3),
        "AP50 by class": {name: round(ap, 3) for name, ap in measured.class_ap50.items()},
    }
    print(json.dumps(figures, indent=2))  # noqa: T201 - it is what this is for


if __name__ == "__main__":
    main()
