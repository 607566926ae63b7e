"""What a keypoint model found in one image."""

from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

VISIBLE = 0.2
"""The least score of a point that is drawn, and that counts for a person's box.

A network answers for joints that are out of sight, too; their points are in the columns all the
same. The value is that of PaddleDetection's pipelines (`kpt_thresh`).
"""


@dataclass(frozen=True, slots=True, eq=False)
class Poses:
    """The people found in one image, one row each, as read-only columns.

    `keypoints` is float32 (N, K, 3): x, y in pixels of the upright source image (over its edges, as
    some models say so) and score. `scores` is float32 (N,), `xyxy` float32 (N, 4). All values are
    finite.

    Raises:
        ValueError: The columns do not fit together, or hold what no pose can be.
    """

    keypoints: NDArray[np.float32]
    scores: NDArray[np.float32]
    xyxy: NDArray[np.float32]

    def __post_init__(self) -> None:
        """Check the columns and freeze them."""
        for name in ("keypoints", "scores", "xyxy"):
            column = np.asarray(getattr(self, name), np.float32).view()
            if not np.isfinite(column).all():
                raise ValueError(f"{name} must be finite numbers")
            column.flags.writeable = False
            object.__setattr__(self, name, column)
        rows = len(self.scores) if self.scores.ndim == 1 else -1
        shape = self.keypoints.shape
        if rows < 0 or shape[:1] != (rows,) or shape[2:] != (3,) or self.xyxy.shape != (rows, 4):
            raise ValueError(
                "the columns must be (N, K, 3), (N,) and (N, 4), got "
                f"{shape}, {self.scores.shape} and {self.xyxy.shape}"
            )

    @classmethod
    def empty(cls, joints: int) -> Self:
        """Nobody found by a model of so many joints."""
        return cls(
            keypoints=np.empty((0, joints, 3), np.float32),
            scores=np.empty(0, np.float32),
            xyxy=np.empty((0, 4), np.float32),
        )

    @classmethod
    def around(cls, keypoints: NDArray[np.float32], scores: NDArray[np.float32]) -> Self:
        """People whose boxes are the tightest around their visible points.

        A person without any gets the box of all points.
        """
        seen = keypoints[..., 2:] >= VISIBLE
        seen |= ~seen.any(axis=1, keepdims=True)
        points = keypoints[..., :2]
        low = np.where(seen, points, np.inf).min(axis=1)
        high = np.where(seen, points, -np.inf).max(axis=1)
        return cls(keypoints, scores, np.concatenate([low, high], axis=1))

    def __len__(self) -> int:
        """How many people there are."""
        return len(self.scores)
