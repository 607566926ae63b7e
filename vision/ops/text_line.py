"""Cuts lines of text out of their picture and prepares them for PaddleOCR's networks.

Sources: PaddleOCR, `tools/infer/utility.py` (`get_rotate_crop_image`), `tools/infer/predict_rec.py`
and `predict_cls.py` (`resize_norm_img`).
"""

import math
from dataclasses import dataclass
from typing import Any, ClassVar

import cv2
import numpy as np
from numpy.typing import NDArray

from vision.ops.detection import Op, Sample
from vision.ops.resize import Size

UPRIGHT_FROM = 1.5  # height / width; a line from here on is vertical
WARP_LIMIT = 32766  # the longest side that cv2 can warp
_HALF_TURN, _SURE = "180", 0.9
_REACH = 4  # pixels around a sample that cubic interpolation may read, and one to spare

# (x / 255 - 0.5) / 0.5 in float32, for each byte
_BYTES = ((np.arange(256, dtype=np.float32) / 255 - np.float32(0.5)) / np.float32(0.5)).reshape(
    1, 256
)


def crop_line(image_bgr: NDArray[np.uint8], quad: NDArray[np.float32]) -> NDArray[np.uint8]:
    """Return the line within a quad, made horizontal: uint8 (h, w, 3), at the picture's scale.

    `quad` is float32 (4, 2): x and y of the corners, clockwise from the line's upper left, in
    pixels and within the image. The result may be a view of the image.
    """
    left_top, right_top, right_low, left_low = quad
    width = max(1, int(max(_distance(left_top, right_top), _distance(right_low, left_low))))
    height = max(1, int(max(_distance(left_top, left_low), _distance(right_top, right_low))))
    line = _straight(image_bgr, quad)
    if line is None:
        line = _warped(image_bgr, quad, (height, width))
    if line.shape[0] / line.shape[1] >= UPRIGHT_FROM:
        line = np.asarray(cv2.rotate(line, cv2.ROTATE_90_COUNTERCLOCKWISE), np.uint8)
    return line


def upright(line_bgr: NDArray[np.uint8], label: str, score: float) -> NDArray[np.uint8]:
    """Return the line, rotated by 180 degrees if it is surely upside down.

    `label` is an orientation model's class (`0` or `180`, `0_degree` or `180_degree`), `score` its
    confidence; PaddleOCR's `cls_thresh` is 0.9.
    """
    if _HALF_TURN not in label or not score > _SURE:
        return line_bgr
    return np.asarray(cv2.rotate(line_bgr, cv2.ROTATE_180), np.uint8)


def _straight(image: NDArray[np.uint8], quad: NDArray[np.float32]) -> NDArray[np.uint8] | None:
    """Return the content of an axis-aligned quad that lies on whole pixels.

    Warping it would be a shift by whole pixels and give the same bytes.
    """
    x1, y1 = quad[0].tolist()
    x2, y2 = quad[2].tolist()
    corners = np.array([[x1, y1], [x2, y1], [x2, y2], [x1, y2]], np.float32)
    if x2 <= x1 or y2 <= y1 or not np.array_equal(quad, corners) or (quad % 1).any():
        return None
    return image[int(y1) : int(y2), int(x1) : int(x2)]


def _warped(image: NDArray[np.uint8], quad: NDArray[np.float32], size: Size) -> NDArray[np.uint8]:
    height, width = size
    corners = quad.astype(np.float32)
    if max(image.shape[:2]) > WARP_LIMIT:
        low = np.maximum(np.floor(corners.min(0)).astype(int) - _REACH, 0)
        high = np.ceil(corners.max(0)).astype(int) + _REACH + 1
        image = image[low[1] : high[1], low[0] : high[0]]
        corners = corners - low.astype(np.float32)
    shrink = min(1.0, WARP_LIMIT / max(image.shape[:2]))
    if shrink < 1:
        image = np.asarray(cv2.resize(image, None, fx=shrink, fy=shrink), np.uint8)
        corners = corners * np.float32(shrink)
    upright = np.array([[0, 0], [width, 0], [width, height], [0, height]], np.float32)
    line = cv2.warpPerspective(
        image,
        cv2.getPerspectiveTransform(corners, upright),
        (width, height),
        flags=cv2.INTER_CUBIC,
        borderMode=cv2.BORDER_REPLICATE,
    )
    return np.asarray(line, np.uint8)


def _distance(a: NDArray[Any], b: NDArray[Any]) -> float:
    return float(np.linalg.norm(a - b))


_LONGEST = 3200  # lines that would get wider are squeezed, as in PaddleX
_STEP = 32  # a recognizer's widths are multiples of its stride
_GROWTH = 1.125


def width_buckets(width: int) -> tuple[int, ...]:
    """Return the widths that lines are padded to: `width` for short lines, then in steps.

    The official tools pad a line to the widest of those that happen to be in its batch. But the
    text and the score of a line change with the zeros on its right (a network that looks at the
    whole line sees them), and so with its neighbours. Here only a line's own aspect decides. Each
    width is a little more than the one before, so that at most about a sixth of a long line is
    zeros (short ones get the width that the model was trained on), and lines of many pictures still
    share batches.
    """
    widths = [width]
    while widths[-1] < _LONGEST:
        wider = math.ceil(widths[-1] * _GROWTH / _STEP) * _STEP
        widths.append(min(wider, _LONGEST))
    return tuple(widths)


@dataclass(frozen=True, slots=True)
class LineInput(Op):
    """Scales a line to `height`, keeping its aspect, and pads it on the right with zeros.

    It is padded to the smallest of `widths` (ascending) that holds it, or squeezed into the last.
    The result is float32 (3, height, width), BGR, -1 to 1.
    """

    height: int
    widths: tuple[int, ...]

    reads_bgr: ClassVar[bool] = True

    def apply(self, sample: Sample) -> Sample:
        """Return the line on its canvas."""
        high, wide = sample.image.shape[:2]
        width = self._scaled_width(wide / high)
        canvas_width = next(canvas for canvas in self.widths if canvas >= width)
        scaled = cv2.resize(sample.image, (width, self.height))
        canvas = np.zeros((3, self.height, canvas_width), np.float32)
        for plane, channel in zip(canvas, cv2.split(scaled), strict=True):
            plane[:, :width] = cv2.LUT(channel, _BYTES)
        return Sample(
            canvas,
            im_shape=(self.height, width),
            scale_factor=(self.height / high, width / wide),
        )

    def output_size(self, size: Size | None) -> Size | None:
        """Return the size (h, w), as far as it is known."""
        if size is None:
            return (self.height, self.widths[0]) if len(self.widths) == 1 else None
        width = self._scaled_width(size[1] / size[0])
        return self.height, next(canvas for canvas in self.widths if canvas >= width)

    def _scaled_width(self, aspect: float) -> int:
        return min(math.ceil(self.height * aspect), self.widths[-1])
