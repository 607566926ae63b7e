"""How well what was found agrees with what is there."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

Box = tuple[float, float, float, float]

_LEAST_OVERLAP = 0.5

_Thing = TypeVar("_Thing")
_Find = Mapping[str, Any]


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
    wanted = things_by_file(truth)
    found = hits = 0
    for row in rows:
        if row["item"] not in wanted:
            continue
        finds = row["detections"] or ()
        found += len(finds)
        hits += sum(1 for _ in paired(wanted[row["item"]], finds, _same))
    return Agreement(len(truth["annotations"]), found, hits)


def things_by_file(truth: Mapping[str, Any]) -> dict[str, list[dict[str, Any]]]:
    """The annotations of each picture, each with its `label` and, as x1, y1, x2, y2, its `box`."""
    labels = {category["id"]: category["name"] for category in truth["categories"]}
    files = {image["id"]: image["file_name"] for image in truth["images"]}
    things: dict[str, list[dict[str, Any]]] = {name: [] for name in files.values()}
    for annotation in truth["annotations"]:
        x, y, width, height = annotation["bbox"]
        more = {
            "label": labels[annotation["category_id"]],
            "box": (x, y, x + width, y + height),
        }
        things[files[annotation["image_id"]]].append(annotation | more)
    return things


def paired(
    things: Sequence[_Thing], finds: Iterable[_Find], overlap: Callable[[_Thing, _Find], float]
) -> Iterator[tuple[_Thing, _Find]]:
    """The finds that are hits, each with the thing that it is about; the surest find comes first.

    A find is a hit if its `overlap` with a thing that no surer one has taken is a half or more.
    """
    left = dict(enumerate(things))
    for find in sorted(finds, key=lambda find: -find["score"]):
        overlaps = {number: overlap(thing, find) for number, thing in left.items()}
        best = max(overlaps, key=overlaps.__getitem__, default=None)
        if best is not None and overlaps[best] >= _LEAST_OVERLAP:
            yield left.pop(best), find


def _same(thing: Mapping[str, Any], find: _Find) -> float:
    return iou(thing["box"], find["box"]) if thing["label"] == find["label"] else 0.0


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
