"""Finds the quads of text lines in a detector's probability map, in reading order.

Source: PaddleOCR, `ppocr/postprocess/db_postprocess.py` (quads, fast score),
`tools/infer/predict_det.py` (`filter_tag_det_res`) and `predict_system.py` (`sorted_boxes`).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
import pyclipper
from numpy.typing import NDArray

from vision.ops.resize import Size
from vision.ops.text import padded_size
from vision.outputs.db_settings import DbSettings

_LEAST_SIDE = 3  # of a region, in pixels of the map
_LEAST_GROWN_SIDE = 5  # of its quad
_LEAST_SOURCE_SIDE = 3  # quads must be longer, in pixels of the picture
_SAME_ROW = 10  # pixels between the tops of quads that count as being in one row


@dataclass(frozen=True, slots=True, eq=False)
class TextRegions:
    """The lines of text in a picture in reading order: top to bottom, then left to right.

    `quads` is float32 (N, 4, 2): x and y of the corners, clockwise from the upper left, in whole
    pixels of the source and within it. `scores` is float32 (N,), the mean probability inside.
    """

    quads: NDArray[np.float32]
    scores: NDArray[np.float32]

    def __len__(self) -> int:
        return len(self.scores)


def find_regions(
    probability: NDArray[np.float32], source: Size, settings: DbSettings
) -> TextRegions:
    """Return the lines of text in a picture of the size `source` (h, w).

    `probability` is float32 (H, W), the map of the whole picture as `vision.ops.text` scales it. A
    score is NaN if the map isn't finite there.
    """
    mask = (probability > settings.thresh).astype(np.uint8)
    if settings.use_dilation:
        mask = np.asarray(cv2.dilate(mask, np.ones((2, 2), np.uint8)), np.uint8)
    contours, _ = cv2.findContours(mask, cv2.RETR_LIST, cv2.CHAIN_APPROX_SIMPLE)
    quads, scores = [], []
    for contour in contours[: settings.max_candidates]:
        inner, side = _quad_around(contour)
        if side < _LEAST_SIDE:
            continue
        score = _mean_inside(probability, inner)
        if score < settings.box_thresh:
            continue
        grown = _grown(inner, settings.unclip_ratio)
        if grown is None:
            continue
        outer, side = _quad_around(grown)
        if side < _LEAST_GROWN_SIDE:
            continue
        quad = _in_source(outer, probability.shape, source)
        if quad is not None:
            quads.append(quad)
            scores.append(score)
    order = _reading_order([tuple(quad[0].tolist()) for quad in quads])
    return TextRegions(
        np.array([quads[row] for row in order], np.float32).reshape(-1, 4, 2),
        np.array([scores[row] for row in order], np.float32),
    )


def _quad_around(points: NDArray[Any]) -> tuple[NDArray[np.float32], float]:
    """Return the smallest rectangle around points, clockwise from upper left; its short side."""
    rectangle = cv2.minAreaRect(points)
    corners = sorted(cv2.boxPoints(rectangle).tolist(), key=lambda corner: corner[0])
    left, right = (
        sorted(pair, key=lambda corner: corner[1]) for pair in (corners[:2], corners[2:])
    )
    quad = np.array([left[0], right[0], right[1], left[1]], np.float32)
    return quad, min(rectangle[1])


def _mean_inside(probability: NDArray[np.float32], quad: NDArray[np.float32]) -> float:
    height, width = probability.shape
    low, high = np.floor(quad.min(0)).astype(int), np.ceil(quad.max(0)).astype(int)
    x1, x2 = np.clip([low[0], high[0]], 0, width - 1).tolist()
    y1, y2 = np.clip([low[1], high[1]], 0, height - 1).tolist()
    mask = np.zeros((y2 - y1 + 1, x2 - x1 + 1), np.uint8)
    # Truncated to whole pixels after the shift, as in the official tool.
    corners = (quad - np.array([x1, y1], np.float32)).astype(np.int32)
    cv2.fillPoly(mask, [corners], (1,))
    return float(cv2.mean(probability[y1 : y2 + 1, x1 : x2 + 1], mask)[0])


def _grown(quad: NDArray[np.float32], ratio: float) -> NDArray[np.int32] | None:
    """Return the outline (N, 2) around a quad at the distance area * ratio / circumference.

    Clipper works on whole pixels, so the corners are truncated.
    """
    distance = cv2.contourArea(quad) * ratio / cv2.arcLength(quad, True)
    offset = pyclipper.PyclipperOffset()
    offset.AddPath(quad.tolist(), pyclipper.JT_ROUND, pyclipper.ET_CLOSEDPOLYGON)
    outlines = offset.Execute(distance)
    return np.array(outlines[0], np.int32) if outlines else None


def _in_source(
    quad: NDArray[np.float32], shape: tuple[int, ...], source: Size
) -> NDArray[np.float32] | None:
    """Return a quad in source pixels, clipped to the source, or `None` if too little is left.

    A tiny picture's map covers its canvas, whose margin is cut off here. (The official tool
    stretches that map over the picture alone.)
    """
    canvas = np.array(padded_size(source)[::-1], np.float32)
    quad = np.round(quad / np.array(shape[::-1], np.float32) * canvas)
    quad = np.clip(quad, 0, np.array(source[::-1], np.float32))
    by_x = quad[np.argsort(quad[:, 0], kind="stable")]
    left = by_x[:2][np.argsort(by_x[:2, 1], kind="stable")]
    right = by_x[2:][np.argsort(by_x[2:, 1], kind="stable")]
    quad = np.stack([left[0], right[0], right[1], left[1]])
    quad = np.minimum(quad, np.array(source[::-1], np.float32) - 1)
    width, height = np.linalg.norm(quad[0] - quad[1]), np.linalg.norm(quad[0] - quad[3])
    return quad if min(int(width), int(height)) > _LEAST_SOURCE_SIDE else None


def _reading_order(tops: Sequence[tuple[float, float]]) -> list[int]:
    """Return the rows in reading order, by each quad's upper left corner (x, y).

    A quad that is left of its predecessor and starts at about the same height moves before it, and
    so on.
    """
    order = sorted(range(len(tops)), key=lambda row: (tops[row][1], tops[row][0]))
    for last in range(1, len(order)):
        for place in range(last, 0, -1):
            before, row = order[place - 1], order[place]
            near = abs(tops[row][1] - tops[before][1]) < _SAME_ROW
            if not near or tops[row][0] >= tops[before][0]:
                break
            order[place - 1], order[place] = row, before
    return order
