"""Turns stored pictures upright."""

from collections.abc import Callable

import cv2
import numpy as np
from numpy.typing import NDArray

Pixels = NDArray[np.uint8]

# By EXIF's number; see the table in the EXIF specification 2.32, 4.6.4, tag 0x0112.
_TURNS: dict[int, Callable[[Pixels], cv2.typing.MatLike]] = {
    1: lambda stored: stored,
    2: lambda stored: cv2.flip(stored, 1),
    3: lambda stored: cv2.rotate(stored, cv2.ROTATE_180),
    4: lambda stored: cv2.flip(stored, 0),
    5: cv2.transpose,
    6: lambda stored: cv2.rotate(stored, cv2.ROTATE_90_CLOCKWISE),
    7: lambda stored: cv2.flip(cv2.transpose(stored), -1),
    8: lambda stored: cv2.rotate(stored, cv2.ROTATE_90_COUNTERCLOCKWISE),
}


def upright(stored: Pixels, orientation: int) -> Pixels:
    """Return the picture (H, W, 3) upright and contiguous; 5 to 8 swap its width and height."""
    return np.ascontiguousarray(_TURNS[orientation](stored), np.uint8)
