"""People as their keypoints say where they are."""

import numpy as np
from numpy.typing import NDArray

from predictions.detections import Detections

VISIBLE = 0.2
"""The least score of a point that is drawn, and that counts for a person's box.

A network answers for joints that are out of sight, too; their points are in the columns all the
same. The value is that of PaddleDetection's pipelines (`kpt_thresh`).
"""


def people_around(
    keypoints: NDArray[np.float32], scores: NDArray[np.float32], labels: tuple[str, ...]
) -> Detections:
    """People of the first class, in the tightest boxes around their visible points.

    `keypoints` is (N, K, 3), `scores` (N,). A person without any visible point gets the box of all.
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
