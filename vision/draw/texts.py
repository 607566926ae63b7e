"""Draws lines of text beside their picture, each in its place."""

import cv2
import numpy as np
from numpy.typing import NDArray

from predictions.detections import Detections
from vision.draw.look import USUAL, Look
from vision.draw.strip import fitted_text
from vision.ops.text_line import UPRIGHT_FROM, WARP_LIMIT
from vision.palette import Colour, colour_of

_SMALL_SIDE, _MOST_SCALE = 960, 4  # smaller pictures are enlarged: text needs pixels
_TINT = 0.14  # the share of a line's colour on the paper
_SURE = 0.5  # the score from which PaddleOCR shows a text
_INK, _FAINT_INK = 0, 120


def draw_texts(
    image_bgr: NDArray[np.uint8], lines: Detections, look: Look = USUAL
) -> NDArray[np.uint8]:
    """Return an upright uint8 (H, W, 3) image with lines framed, and beside it their texts.

    Each line's polygon is its four corners, clockwise from the text's upper left. The right half is
    paper with each text in its line's place, as large as fits; texts that score less than 0.5 are
    grey. If the picture is wider than two squares, the halves are stacked. Small pictures are first
    enlarged by a whole number s, so that their text can be drawn legibly. The result is uint8,
    (s*H, 2*s*W, 3) or (2*s*H, s*W, 3).
    """
    height, width = image_bgr.shape[:2]
    scale = max(1, min(_MOST_SCALE, round(_SMALL_SIDE / max(height, width))))
    height, width = height * scale, width * scale
    axis = 0 if width > 2 * height else 1
    size = (2 * height, width) if axis == 0 else (height, 2 * width)
    canvas = np.full((*size, 3), 255, np.uint8)
    picture, paper = halves = np.split(canvas, 2, axis)  # views
    cv2.resize(image_bgr, (width, height), dst=picture, interpolation=cv2.INTER_CUBIC)
    line_px = look.strokes(width, height).line_px
    told = zip(lines.polygons or (), lines.texts or (), lines.scores.tolist(), strict=True)
    for number, (quad, text, score) in enumerate(told):
        corners = np.round(quad * scale).astype(np.float32)
        # The usual line would be thicker than small text.
        line = min(line_px, max(1, int(min(_sides(corners))) // 10))
        outline = [corners.astype(np.int32)]
        cv2.fillPoly(paper, outline, _tint(colour_of(number)))
        for half in halves:
            cv2.polylines(half, outline, True, colour_of(number), line, cv2.LINE_AA)
        _write(paper, corners, text, _INK if score >= _SURE else _FAINT_INK)
    return canvas


def _tint(colour: Colour) -> Colour:
    blue, green, red = (round(255 + (part - 255) * _TINT) for part in colour)
    return blue, green, red


def _write(paper: NDArray[np.uint8], quad: NDArray[np.float32], text: str, ink: int) -> None:
    """Write a text into a quad, in a shade of grey."""
    low = np.maximum(np.floor(quad.min(0)).astype(int), 0)
    high = np.minimum(np.ceil(quad.max(0)).astype(int) + 1, paper.shape[1::-1])
    width, height = _sides(quad)
    if (low >= high).any() or min(width, height) < 1:
        return
    inside = quad - low.astype(np.float32)
    if height >= UPRIGHT_FROM * width:
        # The line reads from top to bottom.
        width, height = height, width
        inside = np.roll(inside, -1, axis=0)
    shrunk = min(1, WARP_LIMIT / width)
    size = max(1, int(height * shrunk)), max(1, int(width * shrunk))
    flat = np.array([[0, 0], [size[1], 0], [size[1], size[0]], [0, size[0]]], np.float32)
    spot = paper[low[1] : high[1], low[0] : high[0]]
    cover = cv2.warpPerspective(
        fitted_text(text, size), cv2.getPerspectiveTransform(flat, inside), spot.shape[1::-1]
    )
    share = np.asarray(cover, np.float32)[:, :, None] / 255
    spot[:] = np.round(spot * (1 - share) + ink * share).astype(np.uint8)


def _sides(quad: NDArray[np.float32]) -> tuple[float, float]:
    """Return the width and the height of a line."""
    edges = np.linalg.norm(quad - np.roll(quad, -1, axis=0), axis=1)
    return float(max(edges[0], edges[2])), float(max(edges[1], edges[3]))
