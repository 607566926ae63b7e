"""Blurs what was found of certain classes, so that nobody can make it out again."""

from collections.abc import Collection, Iterator, Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from core.tasks import PANOPTIC, SEGMENT
from predictions.answer import Answer

Pixels = NDArray[np.uint8]

_CELLS = 5  # along the longer side: a face becomes a few spots
_LEAST_CELL_PX = 8
_SPECK = 9  # pixels, to which those of so many parts grow
_MOST_PARTS = 2000  # of a mask; a noisy one would take minutes
_GROWN = 0.12  # of the longer side, on all sides: boxes cut off ears and plates' edges


def redacted(
    image_bgr: Pixels, answers: Sequence[tuple[str, Answer]], labels: Collection[str]
) -> Pixels:
    """Return a copy of an upright uint8 (H, W, 3) image in which what has a label is blurred.

    `answers` are those of all models, with their tasks. What has a mask is blurred within it, a
    line of text within its corners, anything else within its box, and a bit around. Of each object
    there are the means of at most five by five cells left, smoothly blended: nothing that sharpens
    can bring back more. What no model found stays as it is.
    """
    canvas = image_bgr.copy()
    regions = [
        region
        for task, answer in answers
        for region in _regions(task, answer, labels, image_bgr.shape[:2])
    ]
    # The coarsest last: within a large region, a small one would bring back what that has hidden.
    for box, cover in sorted(regions, key=lambda region: (_longest(region[0]), region[0])):
        _blur(canvas, image_bgr, box, cover)
    return canvas


def _longest(box: tuple[int, int, int, int]) -> int:
    return max(box[2] - box[0], box[3] - box[1])


_Region = tuple[tuple[int, int, int, int], NDArray[np.uint8] | None]
"""x1, y1, x2, y2 inside the picture, and which of its pixels belong to it if not all do."""


def _regions(
    task: str, answer: Answer, labels: Collection[str], size: tuple[int, int]
) -> Iterator[_Region]:
    if task == SEGMENT and answer.mask is not None:
        ids = [one.class_id for one in answer.classes or () if one.label in labels]
        yield from _parts(np.isin(answer.mask, ids))
        return
    if task == PANOPTIC and answer.mask is not None:
        for segment in answer.segments or ():
            if segment.label in labels:
                yield from _parts(answer.mask == segment.id)
        return
    found = answer.detections
    if found is None:
        return
    for number, name in enumerate(found.names):
        if name not in labels:
            continue
        mask = None if found.masks is None else found.masks[number].decode()
        if mask is not None and mask.any():
            yield from _parts(mask)
        elif found.texts is not None and found.polygons is not None:
            quad = found.polygons[number]
            yield from _grown([*quad.min(0).tolist(), *quad.max(0).tolist()], size)
        else:
            yield from _grown(found.xyxy[number].tolist(), size)


def _grown(box: Sequence[float], size: tuple[int, int]) -> Iterator[_Region]:
    """Yield a box (x1, y1, x2, y2) with some room, as far as it lies in the picture (h, w)."""
    x1, y1, x2, y2 = box
    room = max(2.0, _GROWN * max(x2 - x1, y2 - y1))
    left, top = max(0, int(x1 - room)), max(0, int(y1 - room))
    right, bottom = min(size[1], int(x2 + room) + 1), min(size[0], int(y2 + room) + 1)
    if left < right and top < bottom:
        yield (left, top, right, bottom), None


def _parts(mask: NDArray[np.bool_]) -> Iterator[_Region]:
    """Yield the connected parts of a mask [H,W], each with some room; very many are one."""
    height, width = mask.shape
    count, numbers, stats, _ = cv2.connectedComponentsWithStats(mask.astype(np.uint8))
    if count > _MOST_PARTS:
        cover = cv2.dilate(mask.astype(np.uint8), np.ones((_SPECK, _SPECK), np.uint8))
        yield (0, 0, width, height), np.asarray(cover, np.uint8)
        return
    for number in range(1, count):
        x, y, wide, high, _ = stats[number].tolist()
        room = max(2, round(_GROWN / 2 * max(wide, high)))
        left, top = max(0, x - room), max(0, y - room)
        right, bottom = min(width, x + wide + room), min(height, y + high + room)
        part = (numbers[top:bottom, left:right] == number).astype(np.uint8)
        kernel = np.ones((2 * room + 1, 2 * room + 1), np.uint8)  # fast in any size
        yield (left, top, right, bottom), np.asarray(cv2.dilate(part, kernel), np.uint8)


def _blur(
    canvas: Pixels, image: Pixels, box: tuple[int, int, int, int], cover: Pixels | None
) -> None:
    x1, y1, x2, y2 = box
    source = image[y1:y2, x1:x2]
    height, width = source.shape[:2]
    cell = max(_LEAST_CELL_PX, max(height, width) / _CELLS)
    cells = max(1, round(width / cell)), max(1, round(height / cell))
    means = cv2.resize(source, cells, interpolation=cv2.INTER_AREA)
    blurred = cv2.resize(means, (width, height), interpolation=cv2.INTER_LINEAR)
    target = canvas[y1:y2, x1:x2]
    if cover is None:
        target[:] = blurred
    else:
        cv2.copyTo(blurred, cover, target)
