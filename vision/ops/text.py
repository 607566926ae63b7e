"""Scales pictures for PaddleOCR's text detectors, which read BGR, as cv2 does.

Source: PaddleOCR, `ppocr/data/imaug/operators.py` (`DetResizeForTest`); PaddleX has the same.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar

import cv2
import numpy as np

from vision.ops.detection import Op, Sample
from vision.ops.resize import Size

LIMIT_TYPES = ("max", "min", "resize_long")

_STRIDE = 32  # the detector halves its input five times
_LEAST_SUM = 64  # of height and width; smaller pictures are padded first


def padded_size(size: Size) -> Size:
    """Return the size (h, w) of a tiny picture's canvas; other sizes are unchanged."""
    height, width = size
    if height + width >= _LEAST_SUM:
        return size
    return max(_STRIDE, height), max(_STRIDE, width)


@dataclass(frozen=True, slots=True)
class LimitSide(Op):
    """Scales until a side keeps a limit, then rounds both to the nearest multiples of 32.

    `limit_type` says which side, and when: `max` the long one if it is longer than `limit`, `min`
    the short one if it is shorter, `resize_long` always the long one. Apart from rounding, no side
    gets longer than `longest`.
    """

    limit: int
    limit_type: str
    longest: int = 4000

    keeps_channels_apart: ClassVar[bool] = True
    reads_bgr: ClassVar[bool] = True

    def apply(self, sample: Sample) -> Sample:
        """Return the scaled image, uint8."""
        return _scaled(sample, self._target)

    def output_size(self, size: Size | None) -> Size | None:
        """Return the size (h, w), as far as it is known."""
        return None if size is None else self._target(padded_size(size))

    def _target(self, size: Size) -> Size:
        side = min(size) if self.limit_type == "min" else max(size)
        keep = {"max": side <= self.limit, "min": side >= self.limit, "resize_long": False}
        ratio = 1.0 if keep[self.limit_type] else self.limit / side
        # Each side is truncated, not rounded, and again where the limit is applied.
        sides = [int(side * ratio) for side in size]
        if max(sides) > self.longest:
            ratio = self.longest / max(sides)
            sides = [int(side * ratio) for side in sides]
        height, width = (max(round(side / _STRIDE) * _STRIDE, _STRIDE) for side in sides)
        return height, width


@dataclass(frozen=True, slots=True)
class FixedSize(Op):
    """Scales to `size` (h, w), or to its height with the width a multiple of 32."""

    size: Size
    keep_ratio: bool = False

    keeps_channels_apart: ClassVar[bool] = True
    reads_bgr: ClassVar[bool] = True

    def apply(self, sample: Sample) -> Sample:
        """Return the scaled image, uint8."""
        return _scaled(sample, self._target)

    def output_size(self, size: Size | None) -> Size | None:
        """Return the size (h, w), as far as it is known."""
        if not self.keep_ratio:
            return self.size
        return None if size is None else self._target(padded_size(size))

    def _target(self, size: Size) -> Size:
        height, width = self.size
        if self.keep_ratio:
            width = math.ceil(size[1] * height / size[0] / _STRIDE) * _STRIDE
        return height, width


def _scaled(sample: Sample, target: Callable[[Size], Size]) -> Sample:
    image = sample.image
    height, width = padded_size(image.shape[:2])
    if (height, width) != image.shape[:2]:
        canvas = np.zeros((height, width, 3), np.uint8)
        canvas[: image.shape[0], : image.shape[1]] = image
        image = canvas
    new_height, new_width = target((height, width))
    if (new_height, new_width) != (height, width):
        image = cv2.resize(image, (new_width, new_height))
    return Sample(
        image,
        im_shape=(new_height, new_width),
        scale_factor=(new_height / height, new_width / width),
    )
