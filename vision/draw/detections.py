"""Draws detections on a copy of their image: boxes, and labels that stay readable."""

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from predictions.detections import Detections
from vision.draw.labels import Label, Rect, draw_labels
from vision.draw.look import USUAL, Look, Strokes
from vision.draw.masks import paint_masks
from vision.palette import colour_of


def draw_detections(
    image_bgr: NDArray[np.uint8],
    detections: Detections,
    alpha: float = 0.5,
    look: Look = USUAL,
) -> NDArray[np.uint8]:
    """Return a copy of an upright uint8 (H, W, 3) image with the detections drawn on it.

    Masks lie under everything else; `alpha` is their opacity, 0 to 1. The best scores are drawn
    last and get the best places for their labels (`person 0.83`, see `draw_labels`). Labels lie
    inside the image, over all boxes. The same input gives the same pixels.
    """
    ranked = detections.by_score()
    canvas = paint_masks(image_bgr, ranked.masks or (), ranked.class_ids.tolist(), alpha)
    draw_boxes(canvas, ranked, look)
    return canvas


def draw_boxes(canvas: NDArray[np.uint8], ranked: Detections, look: Look) -> None:
    """Draw boxes and labels of detections, the best score first, onto the canvas in place."""
    height, width = canvas.shape[:2]
    strokes = look.strokes(width, height)
    found = zip(
        ranked.xyxy.tolist(),
        ranked.class_ids.tolist(),
        ranked.names,
        ranked.scores.tolist(),
        strict=True,
    )
    shown = [
        (rect, Label(class_id, name, look.label(name, f"{score:.2f}")))
        for box, class_id, name, score in found
        if (rect := _visible(box, width, height)) is not None
    ]
    if look.boxes:
        for rect, label in reversed(shown):
            _draw_box(canvas, rect, label.class_id, strokes)
    if look.labels:
        rects = [rect for rect, _ in shown]
        draw_labels(canvas, rects, [label for _, label in shown], strokes)


def _visible(box: Sequence[float], width: int, height: int) -> Rect | None:
    """Return the whole pixels of a box inside the image (at least one), or `None` if none are."""
    x1, y1, x2, y2 = box
    if x2 < 0 or y2 < 0 or x1 >= width or y1 >= height or x2 < x1 or y2 < y1:
        return None
    left, top = round(max(x1, 0)), round(max(y1, 0))
    left, top = min(left, width - 1), min(top, height - 1)
    return left, top, max(round(min(x2, width)), left + 1), max(round(min(y2, height)), top + 1)


def _draw_box(canvas: NDArray[np.uint8], rect: Rect, class_id: int, strokes: Strokes) -> None:
    """Draw the outline of a box, growing outwards so that it never covers a small object."""
    x1, y1, x2, y2 = rect
    # Around a tiny object the usual line would be larger than the object.
    line = min(strokes.line_px, max(1, min(x2 - x1, y2 - y1) // 8))
    for grown in range(line):
        # Half of the line lies outside, including an odd pixel.
        out = (line + 1) // 2 - grown
        cv2.rectangle(
            canvas, (x1 - out, y1 - out), (x2 - 1 + out, y2 - 1 + out), colour_of(class_id), 1
        )
