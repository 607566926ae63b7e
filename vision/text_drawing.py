"""Lines of text drawn beside their picture, each where it was read."""

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from vision.annotate import Strokes
from vision.palette import Colour, colour_of
from vision.text import fitted_text
from vision.text_line import UPRIGHT_FROM

_SMALL_SIDE, _MOST_SCALE = 960, 4  # what is smaller is shown larger: text needs its pixels
_TINT = 0.14  # of a line's colour, on the paper
_SURE = 0.5  # the score from which PaddleOCR shows a text at all
_INK, _FAINT_INK = 0, 120


def draw_texts(
    image_bgr: NDArray[np.uint8],
    quads: NDArray[np.float32],
    texts: Sequence[str],
    scores: Sequence[float],
) -> NDArray[np.uint8]:
    """An upright uint8 (H, W, 3) image with lines framed, and beside it what they say.

    `quads` is float32 (N, 4, 2), x and y of the corners from a line's upper left clockwise. The
    right half is paper with each text in the place of its line, as large as fits; a text that
    scores less than 0.5 is grey. Small pictures are enlarged by a whole number first, so that text
    that could be read can be drawn. The result is uint8 (s*H, 2*s*W, 3).
    """
    height, width = image_bgr.shape[:2]
    scale = max(1, min(_MOST_SCALE, round(_SMALL_SIDE / max(height, width))))
    size = (height * scale, width * scale)
    canvas = np.full((size[0], 2 * size[1], 3), 255, np.uint8)
    picture, paper = canvas[:, : size[1]], canvas[:, size[1] :]
    cv2.resize(image_bgr, size[::-1], dst=picture, interpolation=cv2.INTER_CUBIC)
    corners = [np.round(quad * scale).astype(np.float32) for quad in quads]
    for number, (quad, text, score) in enumerate(zip(corners, texts, scores, strict=True)):
        _write(paper, quad, text, colour_of(number), _INK if score >= _SURE else _FAINT_INK)
    line_px = Strokes.for_image(size[1], size[0]).line_px
    for number, quad in enumerate(corners):
        # The usual line would be larger than small text.
        line = min(line_px, max(1, int(min(_sides(quad))) // 10))
        for half in (picture, paper):
            cv2.polylines(half, [quad.astype(np.int32)], True, colour_of(number), line, cv2.LINE_AA)
    return canvas


def _write(
    paper: NDArray[np.uint8], quad: NDArray[np.float32], text: str, colour: Colour, ink: int
) -> None:
    """Fill a quad with a tint of its colour, and the text with ink."""
    low = np.maximum(np.floor(quad.min(0)).astype(int), 0)
    high = np.minimum(np.ceil(quad.max(0)).astype(int) + 1, paper.shape[1::-1])
    if (low >= high).any():
        return
    spot = paper[low[1] : high[1], low[0] : high[0]]
    inside = quad - low.astype(np.float32)
    tint = [round(255 + (part - 255) * _TINT) for part in colour]
    cv2.fillConvexPoly(spot, inside.astype(np.int32), tint, cv2.LINE_AA)
    width, height = _sides(quad)
    if height >= UPRIGHT_FROM * width:
        # It reads from top to bottom.
        width, height = height, width
        inside = np.roll(inside, -1, axis=0)
    size = max(1, round(height)), max(1, round(width))
    flat = np.array([[0, 0], [size[1], 0], [size[1], size[0]], [0, size[0]]], np.float32)
    cover = cv2.warpPerspective(
        fitted_text(text, size), cv2.getPerspectiveTransform(flat, inside), spot.shape[1::-1]
    )
    share = np.asarray(cover, np.float32)[:, :, None] / 255
    spot[:] = np.round(spot * (1 - share) + ink * share).astype(np.uint8)


def _sides(quad: NDArray[np.float32]) -> tuple[float, float]:
    """The width and the height of a line."""
    edges = np.linalg.norm(quad - np.roll(quad, -1, axis=0), axis=1)
    return float(max(edges[0], edges[2])), float(max(edges[1], edges[3]))
