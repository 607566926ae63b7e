"""The two steps that can begin a keypoint model's preprocessing, each with its inverse.

Source of the formulas: PaddleDetection, `deploy/python/keypoint_preprocess.py` and
`keypoint_postprocess.py`. The official tools derive their matrices from three points in float32,
and so does this, since `cv2.warpAffine` rounds them.
"""

import math
from dataclasses import dataclass, replace
from typing import Any, ClassVar

import cv2
import numpy as np
from numpy.typing import NDArray

from core.errors import BadInputError
from vision.ops.detection import Op, Sample
from vision.ops.resize import Size

_MULTIPLE = 64
# A strip a few pixels high and longer than this would be blown up to gigabytes.
_LONGEST = 16


@dataclass(frozen=True, slots=True)
class TopDownEvalAffine(Op):
    """Brings the crop of one person to `trainsize` (w, h).

    The crop fills the model's width; a height left over is black, and one that is too much is cut
    off. With `use_udp` (unbiased data processing) both sides fill the model's, counted in steps
    between pixels.
    """

    trainsize: tuple[int, int]
    use_udp: bool = False

    keeps_channels_apart: ClassVar[bool] = True

    def __post_init__(self) -> None:
        """Refuse sizes that no picture can be brought to."""
        if min(self.trainsize) < 2:  # noqa: PLR2004 - there is a step between two pixels
            raise ValueError(f"trainsize must be at least 2x2, not {self.trainsize}")

    def apply(self, sample: Sample) -> Sample:
        """Return the crop at the model's size."""
        height, width = sample.image.shape[:2]
        if self.use_udp:
            wide, high = self.trainsize
            matrix: NDArray[Any] = np.zeros((2, 3), np.float32)
            matrix[0, 0], matrix[1, 1] = (wide - 1) / width, (high - 1) / height
        else:
            matrix = _similarity((width / 2, height / 2), width, self.trainsize)
        image = cv2.warpAffine(sample.image, matrix, self.trainsize, flags=cv2.INTER_LINEAR)
        return replace(sample, image=image)

    def output_size(self, size: Size | None) -> Size | None:  # noqa: ARG002
        """Return `trainsize` as (h, w)."""
        return self.trainsize[1], self.trainsize[0]

    def restored(
        self, cells: NDArray[np.float64], heatmap_size: Size, crops: NDArray[np.intp]
    ) -> NDArray[np.float64]:
        """Return points (N, K, 2), given as cells (x, y) of heatmaps (h, w), in source pixels.

        Row n belongs to crop n of `crops` (N, 4): x1, y1, x2, y2. The official tools round the
        crop's middle to whole pixels here (but not on the way in), and so does this. For `use_udp`,
        which they forget on the way back, this is the exact inverse; if a crop has the model's
        aspect, it differs from theirs by less than a pixel of the model's input.
        """
        high, wide = heatmap_size
        corners, sizes = crops[:, None, :2], crops[:, None, 2:] - crops[:, None, :2]
        if self.use_udp:
            stride = np.divide(self.trainsize, (wide, high))
            return cells * stride * sizes / np.subtract(self.trainsize, 1) + corners
        scale = sizes[..., :1] / wide
        return (cells - (wide / 2, high / 2)) * scale + np.round(sizes / 2) + corners


@dataclass(frozen=True, slots=True)
class EvalAffine(Op):
    """Scales the short side to `size`, on a canvas whose long side is a multiple of 64."""

    size: int

    keeps_channels_apart: ClassVar[bool] = True

    def __post_init__(self) -> None:
        """Refuse sizes that no picture can be brought to."""
        if self.size < 1:
            raise ValueError(f"size must be positive, not {self.size}")

    def apply(self, sample: Sample) -> Sample:
        """Return the image in the middle of its canvas.

        Raises:
            BadInputError: `preprocess_failed`: the image is more than 16 times as long as wide.
        """
        height, width = sample.image.shape[:2]
        if max(height, width) > _LONGEST * min(height, width):
            raise BadInputError(
                "preprocess_failed",
                f"{width}x{height} is too long for this model: more than {_LONGEST} times its "
                "short side",
            )
        if width < height:
            wide, high = self.size, _long_side(height, width, self.size)
            covered: float = width
        else:
            wide, high = _long_side(width, height, self.size), self.size
            covered = wide / high * height
        matrix = _similarity((round(width / 2), round(height / 2)), covered, (wide, high))
        return replace(sample, image=cv2.warpAffine(sample.image, matrix, (wide, high)))

    @staticmethod
    def restored(pixels: NDArray[np.float32], canvas_size: Size, size: Size) -> NDArray[np.float64]:
        """Return points (..., 2), (x, y) on a canvas (h, w), in pixels of a source of `size`."""
        scale = min(size) / min(canvas_size)
        middle = (round(size[1] / 2), round(size[0] / 2))
        return (pixels.astype(np.float64) - np.divide(canvas_size[::-1], 2)) * scale + middle


def _long_side(long: int, short: int, size: int) -> int:
    return math.ceil(size / short * long / _MULTIPLE) * _MULTIPLE


def _similarity(
    middle: tuple[float, float], width: float, target_wh: tuple[int, int]
) -> NDArray[np.float64]:
    """Return the matrix (2, 3) that takes `middle` and `width` to the target's."""
    source = _three_points(middle, width)
    target = _three_points((target_wh[0] / 2, target_wh[1] / 2), target_wh[0])
    return np.asarray(cv2.getAffineTransform(source, target), np.float64)


def _three_points(middle: tuple[float, float], width: float) -> NDArray[np.float32]:
    """Return the middle, the point half a width above it, and the one half a width left of that."""
    points = np.empty((3, 2), np.float32)
    points[0] = middle
    points[1] = middle[0], middle[1] - width / 2
    points[2] = points[1] - (points[0] - points[1])[::-1]
    return points
