"""Scores what was found against the truth: things, joints and names."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import cv2
import numpy as np
from numpy.typing import NDArray

from sample.labels import JOINTS, ROWER

Box = tuple[float, float, float, float]

_LEAST_OVERLAP = 0.5

_Thing = TypeVar("_Thing")
_Detection = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Agreement:
    """Of the `things` that exist, `hits` were found; `found` counts right and wrong detections."""

    things: int
    found: int
    hits: int

    @property
    def recall(self) -> float:
        """The share of things that were found, 0 to 1."""
        return self.hits / max(1, self.things)

    @property
    def precision(self) -> float:
        """The share of detections that are right, 0 to 1."""
        return self.hits / max(1, self.found)


def agreement(truth: Mapping[str, Any], rows: Iterable[Mapping[str, Any]]) -> Agreement:
    """Compare result rows with the truth about the same files, in COCO's format.

    A detection is a hit if its intersection over union with a thing of its class, not yet taken by
    a better detection, is at least a half. Rows about unknown files are ignored.
    """
    wanted = things_by_file(truth)
    found = hits = 0
    for row in rows:
        if row["item"] not in wanted:
            continue
        detections = row["detections"] or ()
        found += len(detections)
        hits += sum(1 for _ in paired(wanted[row["item"]], detections, _same))
    return Agreement(len(truth["annotations"]), found, hits)


def things_by_file(truth: Mapping[str, Any]) -> dict[str, list[dict[str, Any]]]:
    """Return each picture's annotations, with `label` and `box` (x1, y1, x2, y2) added."""
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
    things: Sequence[_Thing],
    detections: Iterable[_Detection],
    overlap: Callable[[_Thing, _Detection], float],
) -> Iterator[tuple[_Thing, _Detection]]:
    """Yield the detections that are hits, each after its thing, highest scores first.

    A detection is a hit if its `overlap` with a thing not taken by a better one is at least a half.
    """
    left = dict(enumerate(things))
    for detection in sorted(detections, key=lambda detection: -detection["score"]):
        overlaps = {number: overlap(thing, detection) for number, thing in left.items()}
        best = max(overlaps, key=overlaps.__getitem__, default=None)
        if best is not None and overlaps[best] >= _LEAST_OVERLAP:
            yield left.pop(best), detection


def _same(thing: Mapping[str, Any], detection: _Detection) -> float:
    return iou(thing["box"], detection["box"]) if thing["label"] == detection["label"] else 0.0


def iou(one: Box, other: Box) -> float:
    """Return the intersection over union of two boxes x1, y1, x2, y2."""
    wide = min(one[2], other[2]) - max(one[0], other[0])
    high = min(one[3], other[3]) - max(one[1], other[1])
    if wide <= 0 or high <= 0:
        return 0.0
    areas = sum((box[2] - box[0]) * (box[3] - box[1]) for box in (one, other))
    return wide * high / (areas - wide * high)


def confusion(
    truth: NDArray[np.uint8], found: NDArray[np.uint8], classes: int
) -> NDArray[np.int64]:
    """Return how many pixels of each true class (rows) were found as each class (columns)."""
    pairs = truth.astype(np.int64).ravel() * classes + found.ravel()
    return np.bincount(pairs, minlength=classes**2).reshape(classes, classes)


def class_ious(counts: NDArray[np.int64]) -> NDArray[np.float64]:
    """Return each class's intersection over union from a confusion; 1 if it doesn't occur."""
    shared = counts.diagonal()
    either = counts.sum(0) + counts.sum(1) - shared
    return np.asarray(np.where(either, shared / np.maximum(either, 1), 1.0), float)


_SIGMAS = np.array([26, 25, 25, 35, 35, 79, 79, 72, 72, 62, 62, 107, 107, 87, 87, 89, 89]) / 1000


@dataclass(frozen=True, slots=True)
class PoseAgreement:
    """Of the `rowers` with joints, `hits` were found, with a mean `similarity` of 0 to 1."""

    rowers: int
    hits: int
    similarity: float

    @property
    def recall(self) -> float:
        """The share of rowers that were found, 0 to 1."""
        return self.hits / max(1, self.rowers)


def pose_agreement(truth: Mapping[str, Any], rows: Iterable[Mapping[str, Any]]) -> PoseAgreement:
    """Compare result rows with the truth about the same files, in COCO's format.

    A rower is found if a box's intersection over union with theirs is at least a half, and only
    once. Rows about unknown files are ignored.
    """
    wanted = {
        name: [thing for thing in things if thing.get("num_keypoints")]
        for name, things in things_by_file(truth).items()
    }
    similar = [
        joint_similarity(rower, np.array(detection["keypoints"])[:, :2])
        for row in rows
        for rower, detection in paired(
            wanted.get(row["item"], ()), row["detections"] or (), _joints_overlap
        )
    ]
    rowers = sum(map(len, wanted.values()))
    return PoseAgreement(rowers, len(similar), float(np.mean(similar)) if similar else 0.0)


def joint_similarity(rower: Mapping[str, Any], points: NDArray[np.floating[Any]]) -> float:
    """Return the object keypoint similarity (0 to 1) of points [17,2] to an annotation's joints.

    Source: https://cocodataset.org/#keypoints-eval.
    """
    truth = np.array(rower["keypoints"]).reshape(len(JOINTS), 3)
    there = truth[:, 2] > 0
    distance = ((points - truth[:, :2]) ** 2).sum(1)
    part = np.exp(-distance / (2 * rower["area"] * (2 * _SIGMAS) ** 2))
    return float(part[there].mean())


def _joints_overlap(rower: Mapping[str, Any], detection: Mapping[str, Any]) -> float:
    return iou(rower["box"], detection["box"]) if detection["label"] == ROWER else 0.0


READABLE_HEIGHT, READABLE_PART = 12.0, 0.9
"""Names with smaller letters (picture pixels) or a smaller visible share don't count."""


@dataclass(frozen=True, slots=True)
class NameAgreement:
    """Of the readable `names`, `hits` were found, and `read` of these were read correctly."""

    names: int
    hits: int
    read: int


def name_agreement(truth: Mapping[str, Any], rows: Iterable[Mapping[str, Any]]) -> NameAgreement:
    """Compare result rows with the truth (see `sample.coco`) about the same files.

    A name is found if a polygon's intersection over union with its quad is at least a half, and
    only once. Rows about unknown files are ignored.
    """
    wanted = {
        file: [thing["name"] for thing in things if "name" in thing and _is_readable(thing["name"])]
        for file, things in things_by_file(truth).items()
    }
    hits = read = 0
    for row in rows:
        names = wanted.get(row["item"], ())
        for name, detection in paired(names, row["detections"] or (), _quads_overlap):
            hits += 1
            read += detection["text"] == name["text"]
    return NameAgreement(sum(map(len, wanted.values())), hits, read)


def quad_iou(one: NDArray[np.float32], other: NDArray[np.float32]) -> float:
    """Return the intersection over union of two convex quads [4,2]."""
    shared, _ = cv2.intersectConvexConvex(one, other)
    either = cv2.contourArea(one) + cv2.contourArea(other) - shared
    return shared / either if either else 0.0


def _is_readable(name: Mapping[str, Any]) -> bool:
    top, _, _, low = np.array(name["quad"])
    high = float(np.linalg.norm(low - top))
    return high >= READABLE_HEIGHT and name["visible"] >= READABLE_PART


def _quads_overlap(name: Mapping[str, Any], detection: Mapping[str, Any]) -> float:
    return quad_iou(*(np.array(quad, np.float32) for quad in (name["quad"], detection["polygon"])))
