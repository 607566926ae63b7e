"""People: which of a detector's classes stand for them, and boxes around their points."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from core.errors import UsageError
from predictions.detections import Detections

_PERSON = "person"
_MOST_NAMED = 10


def people_classes(labels: Sequence[str], people: Sequence[str]) -> list[int]:
    """Return the class ids of a detector that stand for people.

    These are the classes named in `people`; if none are named, `person` or a detector's only class.

    Raises:
        UsageError: there are none.
    """
    wanted = people or [_PERSON]
    ids = [number for number, label in enumerate(labels) if label in wanted]
    if not ids and not people and len(labels) == 1:
        ids = [0]
    if not ids:
        raise UsageError(
            f"the detector has no class {' or '.join(map(repr, wanted))}, only {_some(labels)}",
            hint="take a detector that finds people, or name the classes that are people",
        )
    return ids


def _some(labels: Sequence[str]) -> str:
    left = len(labels) - _MOST_NAMED
    return ", ".join(labels[:_MOST_NAMED]) + (f" and {left} more" if left > 0 else "")


VISIBLE = 0.2
"""The score from which a point is drawn, and counts for a person's box.

A network also gives points for hidden joints, and the columns hold these too. The value is that of
PaddleDetection's pipelines (`kpt_thresh`).
"""


def people_around(
    keypoints: NDArray[np.float32], scores: NDArray[np.float32], labels: tuple[str, ...]
) -> Detections:
    """Return people of the first class, in the tightest boxes around their visible points.

    `keypoints` is (N, K, 3), `scores` (N,). A person without visible points gets the box of all.
    """
    seen = keypoints[..., 2:] >= VISIBLE
    seen |= ~seen.any(axis=1, keepdims=True)
    points = keypoints[..., :2]
    low = np.where(seen, points, np.inf).min(axis=1)
    high = np.where(seen, points, -np.inf).max(axis=1)
    return Detections(
        np.concatenate([low, high], axis=1),
        scores,
        np.zeros(len(scores), np.int32),
        labels,
        keypoints=keypoints,
    )
