"""How well the names that were read agree with those on the hulls."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from sample.score import paired, things_by_file

READABLE_HEIGHT, READABLE_PART = 12.0, 0.9
"""Names with letters less high in the picture, or less of which can be seen, are not wanted."""


@dataclass(frozen=True, slots=True)
class NameAgreement:
    """Of so many readable `names`, `hits` were found, and `read` of these read as they stand."""

    names: int
    hits: int
    read: int


def name_agreement(truth: Mapping[str, Any], rows: Iterable[Mapping[str, Any]]) -> NameAgreement:
    """Compare result rows with the truth (see `sample.coco`) about the same files.

    A name is found where a polygon shares half (intersection over union) with its quad; it is not
    found twice. Rows about files that the truth does not know are passed over.
    """
    wanted = {
        file: [thing["name"] for thing in things if "name" in thing and _is_readable(thing["name"])]
        for file, things in things_by_file(truth).items()
    }
    hits = read = 0
    for row in rows:
        names = wanted.get(row["item"], ())
        for name, find in paired(names, row["detections"] or (), _overlap):
            hits += 1
            read += find["text"] == name["text"]
    return NameAgreement(sum(map(len, wanted.values())), hits, read)


def quad_iou(one: NDArray[np.float32], other: NDArray[np.float32]) -> float:
    """Intersection over union of two convex quads [4,2]."""
    shared, _ = cv2.intersectConvexConvex(one, other)
    either = cv2.contourArea(one) + cv2.contourArea(other) - shared
    return shared / either if either else 0.0


def _is_readable(name: Mapping[str, Any]) -> bool:
    top, _, _, low = np.array(name["quad"])
    high = float(np.linalg.norm(low - top))
    return high >= READABLE_HEIGHT and name["visible"] >= READABLE_PART


def _overlap(name: Mapping[str, Any], find: Mapping[str, Any]) -> float:
    return quad_iou(*(np.array(quad, np.float32) for quad in (name["quad"], find["polygon"])))
