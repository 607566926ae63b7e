"""How well what was found agrees with what is there."""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Box = tuple[float, float, float, float]

_LEAST_OVERLAP = 0.5


@dataclass(frozen=True, slots=True)
class Agreement:
    """Of `things` that are there, `hits` were found; `found` counts the right and the wrong."""

    things: int
    found: int
    hits: int

    @property
    def recall(self) -> float:
        """The part of the things that was found, 0 to 1."""
        return self.hits / max(1, self.things)

    @property
    def precision(self) -> float:
        """The part of the finds that is right, 0 to 1."""
        return self.hits / max(1, self.found)


def agreement(truth: Mapping[str, Any], rows: Iterable[Mapping[str, Any]]) -> Agreement:
    """Compare result rows with the truth in COCO's format about the same files.

    A find is a hit if it shares half (intersection over union) with a thing of its class that no
    better find has taken. Rows about files that the truth does not know are passed over.
    """
    labels = {category["id"]: category["name"] for category in truth["categories"]}
    wanted: dict[str, list[tuple[str, Box]]] = defaultdict(list)
    files = {image["id"]: image["file_name"] for image in truth["images"]}
    for annotation in truth["annotations"]:
        x, y, width, height = annotation["bbox"]
        thing = (labels[annotation["category_id"]], (x, y, x + width, y + height))
        wanted[files[annotation["image_id"]]].append(thing)
    known = frozenset(files.values())
    found = hits = 0
    for row in rows:
        if row["item"] not in known:
            continue
        finds = sorted(row["detections"] or (), key=lambda find: -find["score"])
        left = list(wanted[row["item"]])
        found += len(finds)
        for find in finds:
            same = [thing for thing in left if thing[0] == find["label"]]
            best = max(same, key=lambda thing: iou(thing[1], find["box"]), default=None)
            if best is not None and iou(best[1], find["box"]) >= _LEAST_OVERLAP:
                left.remove(best)
                hits += 1
    return Agreement(len(truth["annotations"]), found, hits)


def iou(one: Box, other: Box) -> float:
    """Intersection over union of two boxes x1, y1, x2, y2."""
    wide = min(one[2], other[2]) - max(one[0], other[0])
    high = min(one[3], other[3]) - max(one[1], other[1])
    if wide <= 0 or high <= 0:
        return 0.0
    areas = sum((box[2] - box[0]) * (box[3] - box[1]) for box in (one, other))
    return wide * high / (areas - wide * high)


def confusion(
    truth: NDArray[np.uint8], found: NDArray[np.uint8], classes: int
) -> NDArray[np.int64]:
    """How many pixels of each class (the rows) were found to be of each class (the columns)."""
    pairs = truth.astype(np.int64).ravel() * classes + found.ravel()
    return np.bincount(pairs, minlength=classes**2).reshape(classes, classes)


def class_ious(counts: NDArray[np.int64]) -> NDArray[np.float64]:
    """Intersection over union of each class, by the confusion; 1 where none is there or found."""
    shared = counts.diagonal()
    either = counts.sum(0) + counts.sum(1) - shared
    return np.asarray(np.where(either, shared / np.maximum(either, 1), 1.0), float)
