"""Merges detections of the same object from overlapping tiles.

The rules are those of SAHI's batched NMS and greedy NMM (`sahi/postprocess`): class by class, best
score first, equal scores by x1, y1, x2, y2. The overlap of two boxes is their intersection over
their union (`iou`), or over the smaller box (`ios`), in float32.
"""

from dataclasses import replace
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from core.errors import UsageError
from predictions.detections import Detections
from vision.neighbours import Neighbours
from vision.rle import union

Method = Literal["nms", "nmm"]
Metric = Literal["iou", "ios"]

_PAIRS_AT_ONCE = 300_000
_BOXES_AT_ONCE = 512

_Box = tuple[float, float, float, float]


def merge(found: Detections, *, method: Method, metric: Metric, threshold: float) -> Detections:
    """Return the detections that remain, best score first; equal scores by class, then by box.

    A box that overlaps a better one of its class by at least `threshold` is dropped. With `nms`
    that is all; with `nmm` the better box grows to cover it, unless the overlap with the box as
    grown by then is no more than `threshold`. At most some 100,000 pairs of boxes are in memory at
    a time.

    Raises:
        UsageError: `threshold` is not above 0 and at most 1.
    """
    if not 0 < threshold <= 1:
        raise UsageError(f"boxes cannot be merged at an overlap of {threshold}")
    x1, y1, x2, y2 = found.xyxy.T
    ranked = found.select(np.lexsort((y2, x2, y1, x1, found.class_ids, -found.scores)))
    owners = _owners(ranked, metric, threshold)
    kept = np.flatnonzero(owners == np.arange(len(owners)))
    if method == "nms":
        return ranked.select(kept)
    return _grown(ranked, kept, owners, metric, threshold)


def _owners(ranked: Detections, metric: Metric, threshold: float) -> NDArray[np.int64]:
    """Return for each row the row that it yields to, or itself if it stays."""
    owners = np.arange(len(ranked))
    free = np.ones(len(ranked), np.bool_)
    groups = np.unique(ranked.class_ids, return_inverse=True)[1].astype(np.int64)
    neighbours = Neighbours.of(ranked.xyxy, groups)
    start = 0
    while start < len(ranked):
        # Only boxes that are still free are looked at, in chunks that bound the number of pairs.
        candidates = np.flatnonzero(free[start:])[:_BOXES_AT_ONCE] + start
        if not len(candidates):
            break
        effort = np.cumsum(neighbours.count_bound(candidates))
        chunk = candidates[: max(1, int(np.searchsorted(effort, _PAIRS_AT_ONCE)))]
        boxes, others = neighbours.pairs(chunk)
        open_ = free[others]
        boxes, others = boxes[open_], others[open_]
        matches = overlaps(ranked.xyxy, boxes, others, metric) >= np.float32(threshold)
        boxes, others = boxes[matches], others[matches]
        present, starts = np.unique(boxes, return_index=True)
        ends = np.append(starts, len(boxes))[1:]
        for box, first, end in zip(present.tolist(), starts.tolist(), ends.tolist(), strict=True):
            if free[box]:
                taken = others[first:end]
                taken = taken[free[taken]]
                owners[taken] = box
                free[taken] = False
        start = int(chunk[-1]) + 1
    return owners


def overlaps(
    xyxy: NDArray[np.float32],
    first: NDArray[np.int64],
    second: NDArray[np.int64],
    metric: Metric,
) -> NDArray[np.float32]:
    """Return the overlaps, 0 to 1, of pairs of boxes given by their rows in `xyxy`."""
    a, b = xyxy[first], xyxy[second]
    sides = np.minimum(a[:, 2:], b[:, 2:]) - np.maximum(a[:, :2], b[:, :2])
    shared = np.maximum(sides[:, 0], 0) * np.maximum(sides[:, 1], 0)
    areas = (xyxy[:, 2] - xyxy[:, 0]) * (xyxy[:, 3] - xyxy[:, 1])
    area, other = areas[first], areas[second]
    whole = area + other - shared if metric == "iou" else np.minimum(area, other)
    ratio: NDArray[np.float32] = np.zeros_like(shared)
    np.divide(shared, whole, out=ratio, where=whole > 0)
    return ratio


def _grown(
    ranked: Detections,
    kept: NDArray[np.intp],
    owners: NDArray[np.int64],
    metric: Metric,
    threshold: float,
) -> Detections:
    """Return the rows `kept`, each grown over those that it owns and still overlaps."""
    boxes = ranked.xyxy.tolist()
    parts: dict[int, list[int]] = {}
    taken = np.flatnonzero(owners != np.arange(len(owners)))
    for row, owner in zip(taken.tolist(), owners[taken].tolist(), strict=True):
        if _overlap(boxes[owner], boxes[row], metric) > threshold:
            boxes[owner] = _around(boxes[owner], boxes[row])
            parts.setdefault(owner, [owner]).append(row)
    masks = ranked.masks
    if masks is not None:
        whole = {owner: union([masks[row] for row in rows]) for owner, rows in parts.items()}
        masks = tuple(whole.get(row, masks[row]) for row in kept.tolist())
    xyxy = np.array(boxes, np.float32).reshape(-1, 4)[kept]
    return replace(ranked.select(kept), xyxy=xyxy, masks=masks)


def _overlap(a: _Box, b: _Box, metric: Metric) -> float:
    # Plain numbers: a box that grows can't be compared with many at once.
    width, height = min(a[2], b[2]) - max(a[0], b[0]), min(a[3], b[3]) - max(a[1], b[1])
    shared = max(width, 0.0) * max(height, 0.0)
    areas = (a[2] - a[0]) * (a[3] - a[1]), (b[2] - b[0]) * (b[3] - b[1])
    whole = sum(areas) - shared if metric == "iou" else min(areas)
    return shared / whole if whole > 0 else 0.0


def _around(a: _Box, b: _Box) -> list[float]:
    return [min(a[0], b[0]), min(a[1], b[1]), max(a[2], b[2]), max(a[3], b[3])]
