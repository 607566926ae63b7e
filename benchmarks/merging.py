"""Measures the milliseconds on one core to merge the detections of a crowded picture's tiles.

    python -m benchmarks.merging [--boxes 30000] [--rounds 5]

The boxes are generated crowds: separate objects; objects found ten times each; the same with boxes
as large as the picture among them; and boxes on top of each other at random, as in no real picture.
Medians are given.
"""

import statistics
import sys
import time
from functools import partial

import numpy as np

from benchmarks.figures import Figure, options, report
from predictions.detections import Detections
from vision.merging import Method, Metric, merge

_WIDTH, _HEIGHT = 4000, 3000
_WAYS: tuple[tuple[Method, Metric], ...] = (("nms", "iou"), ("nmm", "ios"))


def crowd(boxes: int, side: float, times: int, *, width: int = _WIDTH) -> Detections:
    """Return detections of objects of about `side` pixels, each found `times` times."""
    rng = np.random.default_rng(0)
    objects = boxes // times
    centres = np.repeat(rng.uniform(0, 1, (objects, 2)) * [width, _HEIGHT], times, 0)
    centres += rng.normal(0, side * 0.08, centres.shape)
    sides = np.repeat(rng.uniform(0.5, 1.5, (objects, 2)) * side, times, 0)
    sides *= rng.uniform(0.9, 1.1, sides.shape)
    corners = np.hstack([centres - sides / 2, centres + sides / 2])
    scores = rng.uniform(0.05, 1, len(corners))
    class_ids = np.zeros(len(corners))
    return Detections(corners.astype("f4"), scores.astype("f4"), class_ids.astype("i4"))


def with_large_ones(found: Detections) -> Detections:
    """Grow every 300th box to the picture's size."""
    xyxy = found.xyxy.copy()
    xyxy[::300] *= 0.1
    xyxy[::300, 2:] += [0.8 * _WIDTH, 0.8 * _HEIGHT]
    return Detections(xyxy, found.scores, found.class_ids)


def main() -> int:
    parser = options(__doc__)
    parser.add_argument("--boxes", type=int, default=30_000)
    parser.add_argument("--rounds", type=int, default=5)
    told = parser.parse_args()
    crowds = {
        "apart": crowd(told.boxes, 30, 1),
        "found 10 times": crowd(told.boxes, 40, 10),
        "and large ones": with_large_ones(crowd(told.boxes, 40, 10)),
        "heaped": crowd(told.boxes, 300, 1, width=1000),
    }
    figures = []
    for name, found in crowds.items():
        for method, metric in _WAYS:
            once = partial(merge, found, method=method, metric=metric, threshold=0.5)
            took = []
            for _ in range(told.rounds):
                begun = time.perf_counter()
                once()
                took.append(1000 * (time.perf_counter() - begun))
            goal = None if name == "heaped" else 1000
            figures.append(
                Figure(
                    f"{name}, {method} by {metric}",
                    statistics.median(took),
                    "ms",
                    goal,
                    is_limit=True,
                )
            )
    report("merging", figures, {"boxes": told.boxes, "rounds": told.rounds}, told.json)
    return 0


if __name__ == "__main__":
    sys.exit(main())
