"""Draws shapes on a picture and remembers who owns each pixel."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import cv2
import numpy as np
from numpy.typing import NDArray

from sample.scene import Box
from sample.shape import Colour, Outline, Shape, mixed
from sample.weather import Image

_FRACTION_BITS = 4
_SUBPIXELS = 1 << _FRACTION_BITS


@dataclass(frozen=True, slots=True)
class Place:
    """Where an actor's origin is, in pixels; `scale` is the pixels per metre there.

    `haze` is the share of its colour that is lost to haze, 0 to 1.
    """

    x: float
    y: float
    scale: float
    haze: float

    def pixels(self, outline: Outline) -> NDArray[np.float64]:
        """Return points in metres as pixels [N,2]."""
        return np.asarray(outline * (self.scale, -self.scale) + (self.x, self.y))


class Canvas:
    """A picture that is drawn from back to front."""

    def __init__(self, image: Image, haze_colour: Colour) -> None:
        self.image = image
        self.owners = np.zeros(image.shape[:2], np.uint16)
        self._haze_colour = haze_colour

    def mirror(self, shapes: Sequence[Shape], place: Place) -> None:
        """Draw an actor's reflection: upside down, darker, half as high."""
        for shape in shapes:
            flat = [place.pixels(points * (1.0, -0.55)) for points in shape.outlines]
            colour = mixed(shape.colour, self._haze_colour, place.haze)
            _fill(self.image, flat, mixed(colour, (70.0, 62.0, 50.0), 0.35))

    def draw(self, shapes: Sequence[Shape], place: Place, first_owner: int) -> None:
        """Draw an actor; its parts own their pixels under numbers from `first_owner` on."""
        for shape in shapes:
            outlines = [place.pixels(points) for points in shape.outlines]
            _fill(self.image, outlines, mixed(shape.colour, self._haze_colour, place.haze))
            _fill(self.owners, outlines, float(first_owner + shape.part))


def full_areas(shapes: Sequence[Shape], place: Place, parts: int) -> list[int]:
    """Return how many pixels each part has when only its own actor may cover it."""
    every = [place.pixels(points) for shape in shapes for points in shape.outlines]
    low = np.floor(np.min([points.min(0) for points in every], 0)).astype(int)
    high = np.ceil(np.max([points.max(0) for points in every], 0)).astype(int) + 1
    alone = np.zeros((high[1] - low[1], high[0] - low[0]), np.uint16)
    for shape in shapes:
        outlines = [place.pixels(points) - low for points in shape.outlines]
        _fill(alone, outlines, 1.0 + shape.part)
    counts = np.bincount(alone.ravel(), minlength=parts + 1)
    return [int(count) for count in counts[1 : parts + 1]]


def boxes_of(owners: NDArray[np.uint16], count: int) -> list[tuple[Box, int] | None]:
    """Return, for owners 1 to `count`, the box around their pixels and their number."""
    rows, columns = np.nonzero(owners)
    found: list[tuple[Box, int] | None] = []
    whose = owners[rows, columns]
    order = np.argsort(whose, kind="stable")
    edges = np.searchsorted(whose[order], np.arange(1, count + 2))
    for start, stop in pairwise(edges.tolist()):
        if start == stop:
            found.append(None)
            continue
        x, y = columns[order[start:stop]], rows[order[start:stop]]
        box = (float(x.min()), float(y.min()), float(x.max() + 1), float(y.max() + 1))
        found.append((box, int(stop - start)))
    return found


def _fill(target: NDArray[np.generic], outlines: list[NDArray[np.float64]], value: object) -> None:
    # Pixel centres are whole numbers in OpenCV, and halves in the truth.
    points = [np.rint((outline - 0.5) * _SUBPIXELS).astype(np.int32) for outline in outlines]
    line = cv2.LINE_AA if target.ndim == 3 else cv2.LINE_8  # noqa: PLR2004 - colours blend
    cv2.fillPoly(target, points, value, line, _FRACTION_BITS)  # type: ignore[call-overload]
