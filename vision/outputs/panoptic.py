"""Reads panoptic maps, which assign each pixel to a segment and tell things of a class apart.

PaddleSeg's models (`contrib/PanopticSeg`) output the numbers (class + 1) * 1000 + instance, where
instances count from 1 in each class of things, stuff is instance 0, and 0 is no segment.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from core.errors import BadInputError
from predictions.answer import Segment
from predictions.detections import label_of

_DIVISOR = 1000
_LARGEST = 256**3 - 1
_MOST = 2**16  # segments that a map of places can tell apart


def read_panoptic(ids: NDArray[np.int32], labels: Sequence[str]) -> tuple[Segment, ...]:
    """Return the segments in a map [H,W] of a model's numbers, in ascending order of number.

    Raises:
        BadInputError: `model_output_invalid`: a number doesn't stand for a segment.
    """
    low, high = int(ids.min()), int(ids.max())
    present = np.flatnonzero(np.bincount(ids.ravel())) if 0 <= low <= high <= _LARGEST else ids[:0]
    numbers = present[present > 0]
    named = not len(numbers) or (numbers[0] >= _DIVISOR and len(numbers) < _MOST)
    if low < 0 or high > _LARGEST or not named:
        raise BadInputError("model_output_invalid", f"the model gave segments {low} to {high}")
    places = places_of(ids, numbers.tolist())
    areas = np.bincount(places.ravel(), minlength=len(numbers) + 1)
    height, width = ids.shape
    rows = np.zeros((len(numbers) + 1, height), np.bool_)
    rows[places, np.arange(height)[:, None]] = True
    columns = np.zeros((len(numbers) + 1, width), np.bool_)
    columns[places, np.arange(width)] = True
    segments = []
    for place, number in enumerate(numbers.tolist(), 1):
        x1, x2 = _ends(columns[place])
        y1, y2 = _ends(rows[place])
        class_id = number // _DIVISOR - 1
        segments.append(
            Segment(
                id=number,
                label=label_of(labels, class_id),
                class_id=class_id,
                is_thing=number % _DIVISOR > 0,
                area=int(areas[place]),
                box=(x1, y1, x2, y2),
            )
        )
    return tuple(segments)


def places_of(ids: NDArray[np.int32], numbers: Sequence[int]) -> NDArray[np.uint16]:
    """Replace the numbers in a map [H,W] by their places in `numbers`, from 1 up, others by 0."""
    table = np.zeros(max(int(ids.max(initial=0)), *numbers, 0) + 1, np.uint16)
    table[list(numbers)] = np.arange(1, len(numbers) + 1)
    return table[ids]


def _ends(line: NDArray[np.bool_]) -> tuple[int, int]:
    """Return where the true values begin and end (exclusive)."""
    return int(line.argmax()), len(line) - int(line[::-1].argmax())
