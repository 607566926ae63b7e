"""Pictures whose truth is known, as they are drawn from it."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

LABELS = ("red", "green", "blue")
SIDE = 64  # of the pictures that `nets` get, in pixels; of oblong ones, the short side

_GAP = 0.06  # between blobs and to the border, as a part of the picture's side
_SMALLEST, _LARGEST = 0.12, 0.4


@dataclass(frozen=True, slots=True)
class Blob:
    """A solid rectangle. `class_id` indexes LABELS; `box` is x1, y1, x2, y2, ends exclusive."""

    class_id: int
    box: tuple[int, int, int, int]


def draw_blobs(
    seed: int, size: tuple[int, int] = (320, 240), *, most: int = 5
) -> tuple[NDArray[np.uint8], list[Blob]]:
    """A dark BGR picture of `size` (width, height) with 1 to `most` blobs that don't touch.

    Same arguments, same picture.
    """
    rng = np.random.default_rng(seed)
    blobs: list[Blob] = []
    for _ in range(int(rng.integers(1, most + 1))):
        box = _place(rng, size, blobs)
        if box is not None:
            blobs.append(Blob(int(rng.integers(len(LABELS))), box))
    return paint(size, blobs), blobs


def paint(size: tuple[int, int], blobs: list[Blob]) -> NDArray[np.uint8]:
    """The picture of `size` (width, height) that shows these blobs."""
    width, height = size
    image = np.full((height, width, 3), 16, np.uint8)
    for blob in blobs:
        x1, y1, x2, y2 = blob.box
        image[y1:y2, x1:x2] = 24
        image[y1:y2, x1:x2, 2 - blob.class_id] = 232  # BGR: red is the last channel
    return image


def tolerance(size: tuple[int, int]) -> float:
    """How far off an edge may be in a picture of `size`, in its pixels: one of the `nets`' pixels.

    Half of it is rounding; what blur by resizing and JPEG adds is less than the other half.
    """
    return max(size) / SIDE


def _place(
    rng: np.random.Generator, size: tuple[int, int], blobs: list[Blob]
) -> tuple[int, int, int, int] | None:
    sides = np.array(size)
    gap = _GAP * sides.max()
    for _ in range(50):
        extent = rng.uniform(_SMALLEST, _LARGEST, 2) * sides
        low = rng.uniform(gap, sides - extent - gap)
        x1, y1, x2, y2 = map(int, (*low, *(low + extent)))
        if all(
            x2 + gap < other.box[0]
            or other.box[2] + gap < x1
            or y2 + gap < other.box[1]
            or other.box[3] + gap < y1
            for other in blobs
        ):
            return x1, y1, x2, y2
    return None
