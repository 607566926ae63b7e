"""What a text detector's map should show: lines of text, shrunk so that neighbours stay apart."""

from collections.abc import Sequence

import cv2
import numpy as np
import pyclipper
from numpy.typing import NDArray

Floats = NDArray[np.float32]

SHRINK = 0.6
"""How much is left, as DB counts it. More than its 0.4, as the sample world's lines are thin."""

_STEPS = 256  # of a pixel: Clipper knows whole numbers only
_FRACTION_BITS = 4


def shrunk(quad: Floats, ratio: float = SHRINK) -> Floats:
    """The outline [N,2] at the distance area * (1 - ratio^2) / circumference within a quad [4,2].

    Source: Liao 2020, "Real-time scene text detection with differentiable binarization". It is
    [0,2] where nothing is left.
    """
    distance = cv2.contourArea(quad) * (1 - ratio**2) / max(cv2.arcLength(quad, closed=True), 1)
    return _offset(quad, -distance, pyclipper.JT_MITER)


def grown(quad: Floats, ratio: float) -> Floats:
    """The outline [N,2] at the distance area * ratio / circumference around a quad [4,2].

    Source: PaddleOCR, `ppocr/postprocess/db_postprocess.py` (`unclip`).
    """
    distance = cv2.contourArea(quad) * ratio / cv2.arcLength(quad, closed=True)
    return _offset(quad, distance, pyclipper.JT_ROUND)


def _offset(quad: Floats, distance: float, join: int) -> Floats:
    offset = pyclipper.PyclipperOffset()
    path = np.rint(quad * _STEPS).astype(int).tolist()
    offset.AddPath(path, join, pyclipper.ET_CLOSEDPOLYGON)
    outlines = offset.Execute(_STEPS * distance)
    points = np.array(outlines[0] if outlines else np.zeros((0, 2)), np.float32)
    return points / np.float32(_STEPS)


def targets(
    read: Sequence[Floats], ignored: Sequence[Floats], size: tuple[int, int], stride: int
) -> tuple[Floats, Floats]:
    """The map [h,w] of quads, 1 within their shrunk outlines, and the weight [h,w] of its cells.

    `size` (width, height) is in pixels, as the quads are; a cell covers `stride` x `stride`. Cells
    within `ignored` quads weigh nothing.
    """
    shape = (size[1] // stride, size[0] // stride)
    wanted, weights = np.zeros(shape, np.float32), np.ones(shape, np.float32)
    for quad in ignored:
        _fill(weights, quad / np.float32(stride), 0.0)
    for quad in read:
        outline = shrunk(quad)
        if len(outline):
            _fill(weights, quad / np.float32(stride), 1.0)
            _fill(wanted, outline / np.float32(stride), 1.0)
    return wanted, weights


def _fill(target: Floats, outline: Floats, value: float) -> None:
    # A cell's middle is a whole number to OpenCV, and a half to the outline.
    points = np.rint((outline - 0.5) * (1 << _FRACTION_BITS)).astype(np.int32)
    cv2.fillPoly(target, [points], (value,), cv2.LINE_8, _FRACTION_BITS)
