"""Draws what is right and wrong in a picture, over its results."""

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from evaluation.evaluation import Mark
from vision.palette import Colour

COLOURS: dict[str, Colour] = {
    "hit": (64, 204, 46),
    "missed": (40, 40, 235),
    "right": (255, 144, 30),
    "wrong": (0, 140, 255),
}
"""Blue, green, red, by kind of mark."""

_DASHED = frozenset({"hit", "missed"})
_BLACK: Colour = (0, 0, 0)
_SLIM = 12  # the side of what is marked, to the line: thicker ones would cover a line of text
_MOST_MARKS = 400  # on one picture; more cover it


def draw_marks(
    image_bgr: NDArray[np.uint8], marks: Sequence[Mark], scale: float
) -> NDArray[np.uint8]:
    """Return a copy of a picture uint8 (H, W, 3) with marks: the truth dashed, results solid.

    `scale` turns the marks' coordinates into pixels of this picture. What is wrong or
    missed lies over what is right.
    """
    canvas = image_bgr.copy()
    thick = max(2, round(max(canvas.shape[:2]) / 400))
    ordered = sorted(marks, key=lambda mark: mark.kind in {"missed", "wrong"})
    for mark in ordered[-_MOST_MARKS:]:
        corners = np.array(mark.outline, np.float64).reshape(-1, 2) * scale
        corners = np.clip(corners, -1e4, 1e5)
        slim = max(1, min(thick, round(float(np.ptp(corners, axis=0).min()) / _SLIM)))
        for begin, end in zip(corners, np.roll(corners, -1, axis=0), strict=True):
            _draw_side(canvas, begin, end, mark.kind, slim)
    return canvas


def _draw_side(
    canvas: NDArray[np.uint8],
    begin: NDArray[np.float64],
    end: NDArray[np.float64],
    kind: str,
    thick: int,
) -> None:
    """Draw a side with a dark rim, so that it is seen on everything."""
    length = float(np.hypot(*(end - begin)))
    step = 6.0 * thick
    count = max(1, round(length / step)) if kind in _DASHED else 1
    pieces = min(count, 2_000)
    for number in range(0, pieces, 2):
        stop = min(number + 1, pieces)
        first, last = (begin + (end - begin) * n / pieces for n in (number, stop))
        start = [round(each) for each in first.tolist()]
        end_ = [round(each) for each in last.tolist()]
        cv2.line(canvas, start, end_, _BLACK, thick + 2, cv2.LINE_AA)
        cv2.line(canvas, start, end_, COLOURS[kind], thick, cv2.LINE_AA)


def paint_errors(image_bgr: NDArray[np.uint8], wrong: NDArray[np.bool_]) -> NDArray[np.uint8]:
    """Return a copy of a picture in which wrong pixels [H,W] are red, and all others pale."""
    height, width = image_bgr.shape[:2]
    there = cv2.resize(wrong.astype(np.uint8), (width, height), interpolation=cv2.INTER_NEAREST)
    pale = (image_bgr.astype(np.uint16) + 2 * 255) // 3
    return np.where(there[:, :, None] > 0, np.array(COLOURS["missed"], np.uint16), pale).astype(
        np.uint8
    )
