"""Measures the milliseconds that each step of a model's preprocessing takes on one core.

    python -m benchmarks.preprocess [--models DIR] [--rounds 200]

It runs every export in the folder (by default the shipped ones) on a picture of 1280 x 960 pixels.
Steps done in one pass are one line. For comparison, the same arithmetic is measured as the official
tools do it, step by step with numpy.
"""

import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np

from benchmarks.figures import Figure, options, report
from sample.shipped import EXPORTS
from sample.world import new_world
from vision.exports.export import is_export, read_export
from vision.ops.detection import Sample
from vision.ops.preprocess import Preprocessor

_SIZE = (1280, 960)
_MEAN, _STD = np.array([0.485, 0.456, 0.406]), np.array([0.229, 0.224, 0.225])


def milliseconds(work: Callable[[], object], rounds: int) -> float:
    took = []
    for _ in range(rounds):
        begun = time.perf_counter()
        work()
        took.append(1000 * (time.perf_counter() - begun))
    return statistics.median(took)


def steps_of(model: Path, image: np.ndarray, rounds: int) -> list[Figure]:
    name, prepare = model.name, Preprocessor(read_export(model).ops)
    sample = Sample(image, im_shape=image.shape[:2])
    figures = []
    for op in prepare.steps:
        before = sample
        took = milliseconds(lambda op=op, before=before: op.apply(before), rounds)  # type: ignore[misc]
        sample = op.apply(before)
        figures.append(Figure(f"{name}: {type(op).__name__.lstrip('_')}", took, "ms"))
    figures.append(Figure(f"{name}: in all", milliseconds(lambda: prepare(image), rounds), "ms"))
    height, width = prepare(image).image.shape[1:]

    def step_by_step() -> np.ndarray:
        rgb = cv2.cvtColor(image, cv2.COLOR_BGR2RGB)
        scaled = cv2.resize(rgb, (width, height)).astype(np.float32)
        normal = (scaled / np.float32(255) - _MEAN) / _STD
        return np.ascontiguousarray(normal.transpose(2, 0, 1), np.float32)

    plain = milliseconds(step_by_step, rounds)
    figures.append(Figure(f"{name}: step by step with numpy", plain, "ms"))
    return figures


def main() -> int:
    parser = options(__doc__)
    parser.add_argument("--models", type=Path, default=EXPORTS)
    parser.add_argument("--rounds", type=int, default=200)
    told = parser.parse_args()
    cv2.setNumThreads(1)
    image = new_world(0, _SIZE).scene().image
    figures = []
    for model in sorted(filter(is_export, told.models.iterdir())):
        figures += steps_of(model, image, told.rounds)
    report("preprocess", figures, {"picture": _SIZE, "rounds": told.rounds}, told.json)
    return 0


if __name__ == "__main__":
    sys.exit(main())
