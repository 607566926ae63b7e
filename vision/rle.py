"""Operations on masks as runs of pixels, in the format of COCO's tools."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pycocotools import mask as coco

from predictions.detections import Detections
from predictions.run_lengths import RunLengths
from vision.ops.resize import Size


def runs_of(mask: NDArray[Any]) -> RunLengths:
    """Return the mask of a map's [H,W] pixels that are not 0."""
    return _read(coco.encode(np.asfortranarray(mask != 0, np.uint8)))


def union(masks: Sequence[RunLengths]) -> RunLengths:
    """Return the union of masks of one size."""
    return _read(coco.merge([as_coco(one) for one in masks]))


def area(mask: RunLengths) -> int:
    """Return how many pixels a mask has."""
    return int(coco.area(as_coco(mask)))


def box_around(mask: RunLengths) -> tuple[int, int, int, int]:
    """Return the smallest x1, y1, x2, y2 around all pixels, the last two exclusive; 0s if empty."""
    x, y, width, height = map(int, coco.toBbox(as_coco(mask)))
    return x, y, x + width, y + height


def placed(mask: RunLengths, size: Size, x: int = 0, y: int = 0) -> RunLengths:
    """Return a mask moved so that its corner is at (x, y) of a picture of `size` (h, w).

    Pixels outside are cut off. The time depends on the runs, not on the picture.
    """
    if mask.size == size and (x, y) == (0, 0):
        return mask
    height = mask.size[0]
    first, last = mask.runs().T
    # A run that continues in the next column is split by column.
    pieces = (last - 1) // height - first // height + 1
    column = np.arange(pieces.sum()) - np.repeat(np.cumsum(pieces) - pieces, pieces)
    column += np.repeat(first // height, pieces)
    top = np.maximum(np.repeat(first, pieces) - column * height, 0) + y
    bottom = np.minimum(np.repeat(last, pieces) - column * height, height) + y
    bottom = np.minimum(bottom, size[0])
    seen = (column + x < size[1]) & (top < bottom)
    before = (column[seen] + x) * size[0]
    return _joined(size, before + top[seen], before + bottom[seen])


def as_coco(mask: RunLengths) -> dict[str, Any]:
    """Return the mapping that pycocotools works with."""
    return {"size": list(mask.size), "counts": mask.counts.encode("ascii")}


def _read(encoded: dict[str, Any]) -> RunLengths:
    height, width = encoded["size"]
    return RunLengths((int(height), int(width)), encoded["counts"].decode("ascii"))


def _joined(size: Size, first: NDArray[np.int64], last: NDArray[np.int64]) -> RunLengths:
    """Return the mask of runs in ascending order, joining those that touch."""
    apart = first[1:] != last[:-1]
    first = first[np.append(True, apart)[: len(first)]]
    last = last[np.append(apart, True)[: len(last)]]
    edges = np.stack([first, last], axis=1).ravel()
    lengths = np.diff(edges, prepend=0, append=size[0] * size[1])
    if len(edges) and not lengths[-1]:
        lengths = lengths[:-1]
    uncompressed = {"size": list(size), "counts": lengths.tolist()}
    return _read(coco.frPyObjects(uncompressed, *size))


def moved(found: Detections, x: int, y: int, size: Size) -> Detections:
    """Return the boxes and masks in a larger picture of `size` (h, w), with this one at (x, y)."""
    masks = found.masks
    if masks is not None:
        masks = tuple(placed(mask, size, x, y) for mask in masks)
    return replace(found, xyxy=found.xyxy + np.array([x, y, x, y], np.float32), masks=masks)
