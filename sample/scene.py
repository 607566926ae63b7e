"""A scene: a picture and the whole truth about it, and the sizes that pictures come in."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sample.labels import GROUNDS, LABELS
from sample.weather import Image

SHAPES = ((4, 3), (3, 2), (16, 9), (4, 3), (1, 1), (3, 4), (3, 2))
"""Aspect ratios (width, height), as cameras have them."""

MEGAPIXELS = (0.2, 0.3, 0.5, 0.9, 2.0)
"""The numbers of pixels that pictures have, in millions."""


def size_of(number: int) -> tuple[int, int]:
    """Return the (width, height) of the picture with this number; shapes and sizes take turns."""
    wide, high = SHAPES[number % len(SHAPES)]
    pixels = MEGAPIXELS[number % len(MEGAPIXELS)] * 1e6
    unit = (pixels / (wide * high)) ** 0.5
    return round(wide * unit), round(high * unit)


Box = tuple[float, float, float, float]
"""x1, y1, x2, y2 in pixels, ends exclusive, around the visible part."""


@dataclass(frozen=True, slots=True)
class Name:
    """A name on a hull.

    `quad` [4,2] is in pixels, clockwise from the first letter's top; `visible` is the share of it
    that nothing covers, 0 to 1.
    """

    text: str
    quad: NDArray[np.float32]
    visible: float


@dataclass(frozen=True, slots=True)
class Thing:
    """One visible thing.

    `visible` is the share of it that is neither hidden by others nor outside the picture, 0 to 1.
    `joints` [17,3] are x, y and COCO's visibility: 0 outside the picture, 1 hidden, 2 visible.
    `track` stays the same through a sequence.
    """

    label: str
    box: Box
    visible: float
    track: int
    joints: NDArray[np.float32] | None = None
    name: Name | None = None

    @property
    def class_id(self) -> int:
        """Its label's index in `LABELS`."""
        return LABELS.index(self.label)


@dataclass(frozen=True, slots=True)
class Scene:
    """A picture, `image` [H,W,3], and what is where in it.

    `owners` [H,W] is 0, or 1 + the index in `things` of the pixel's owner; `grounds` [H,W] says
    what is behind, as indices into `GROUNDS`.
    """

    image: Image
    things: tuple[Thing, ...]
    owners: NDArray[np.uint16]
    grounds: NDArray[np.uint8]
    weather: str

    @property
    def segments(self) -> NDArray[np.uint8]:
        """What each pixel shows, [H,W]: indices into `SEGMENTS`."""
        classes = [len(GROUNDS) + thing.class_id for thing in self.things]
        shown = np.array([0, *classes], np.uint8)[self.owners]
        return np.where(self.owners == 0, self.grounds, shown)

    def mask(self, place: int) -> NDArray[np.bool_]:
        """Return the pixels [H,W] of the thing at this index."""
        return np.asarray(self.owners == place + 1)
