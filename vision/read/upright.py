"""Turns stored pictures upright."""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

Pixels = NDArray[np.uint8]

# By EXIF's number; see the table in the EXIF specification 2.32, 4.6.4, tag 0x0112.
_TURNS: dict[int, Callable[[Pixels], Pixels]] = {
    1: lambda stored: stored,
    2: lambda stored: stored[:, ::-1],
    3: lambda stored: stored[::-1, ::-1],
    4: lambda stored: stored[::-1],
    5: lambda stored: stored.transpose(1, 0, 2),
    6: lambda stored: stored.transpose(1, 0, 2)[:, ::-1],
    7: lambda stored: stored.transpose(1, 0, 2)[::-1, ::-1],
    8: lambda stored: stored.transpose(1, 0, 2)[::-1],
}


def upright(stored: Pixels, orientation: int) -> Pixels:
    """Return the picture (H, W, 3) upright and contiguous; 5 to 8 swap its width and height."""
    return np.ascontiguousarray(_TURNS[orientation](stored))
