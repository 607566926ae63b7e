"""Panoptic maps: one segment for each pixel, things apart from each other.

PaddleSeg's models (`contrib/PanopticSeg`) answer numbers: (class + 1) * 1000 + instance, instances
counted from 1 in each class of things; stuff is instance 0, and 0 is a pixel of nothing. COCO's
panoptic format holds such numbers as colours, red + 256 green + 65536 blue.
"""

import io
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from core.errors import BadInputError

_DIVISOR = 1000
_LARGEST = 256**3 - 1
_MOST = 2**16  # segments that a map of places can tell apart
_COMPRESSION = 1  # large areas of one value: more effort saves little


@dataclass(frozen=True, slots=True)
class Segment:
    """One segment, with the names and meanings of COCO's `segments_info`.

    `id` is its number in the map, `area` its pixels, `bbox` x, y, width, height around them.
    """

    id: int
    category_id: int
    isthing: bool
    area: int
    bbox: tuple[int, int, int, int]


@dataclass(frozen=True, slots=True, eq=False)
class PanopticMap:
    """A map [H,W] of places in `segments`, from 1 up; 0 is nothing."""

    places: NDArray[np.uint16]
    segments: tuple[Segment, ...]


def read_panoptic(ids: NDArray[np.int32]) -> PanopticMap:
    """The segments of a map [H,W] of a model's numbers, in the order of these.

    Raises:
        BadInputError: `model_output_invalid`: a number stands for no segment.
    """
    low, high = int(ids.min()), int(ids.max())
    present = np.flatnonzero(np.bincount(ids.ravel())) if 0 <= low <= high <= _LARGEST else ids[:0]
    numbers = present[present > 0]
    named = not len(numbers) or (numbers[0] >= _DIVISOR and len(numbers) < _MOST)
    if low < 0 or high > _LARGEST or not named:
        raise BadInputError("model_output_invalid", f"the model gave segments {low} to {high}")
    table = np.zeros(high + 1, np.uint16)
    table[numbers] = np.arange(1, len(numbers) + 1)
    places = table[ids]
    areas = np.bincount(places.ravel(), minlength=len(numbers) + 1)
    height, width = ids.shape
    rows = np.zeros((len(numbers) + 1, height), np.bool_)
    rows[places, np.arange(height)[:, None]] = True
    columns = np.zeros((len(numbers) + 1, width), np.bool_)
    columns[places, np.arange(width)] = True
    segments = []
    for place, number in enumerate(numbers.tolist(), 1):
        x, right = _ends(columns[place])
        y, bottom = _ends(rows[place])
        segments.append(
            Segment(
                id=number,
                category_id=number // _DIVISOR - 1,
                isthing=number % _DIVISOR > 0,
                area=int(areas[place]),
                bbox=(x, y, right - x, bottom - y),
            )
        )
    return PanopticMap(places, tuple(segments))


def _ends(line: NDArray[np.bool_]) -> tuple[int, int]:
    """Where the true values begin and end (outside)."""
    return int(line.argmax()), len(line) - int(line[::-1].argmax())


def encode_panoptic(found: PanopticMap) -> bytes:
    """COCO's PNG of a panoptic map: a pixel's colour is its segment's `id`, black is nothing.

    The same bytes every time.
    """
    numbers = np.array([0, *(segment.id for segment in found.segments)], np.int64)
    colours = np.stack([numbers >> shift & 255 for shift in (0, 8, 16)], axis=1).astype(np.uint8)
    buffer = io.BytesIO()
    image = Image.fromarray(colours[found.places])
    image.save(buffer, "PNG", compress_level=_COMPRESSION)
    return buffer.getvalue()
