"""Draws detections on a copy of their image: boxes, and labels that stay readable."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from predictions.detections import Detections
from vision.draw.masks import paint_masks
from vision.draw.strip import label_strip
from vision.palette import colour_of

_Rect = tuple[int, int, int, int]  # x1, y1, x2, y2; the last two exclusive


@dataclass(frozen=True, slots=True)
class Strokes:
    """Thickness and size of what is drawn, in pixels, for an image of a certain size."""

    line_px: int
    font_px: int

    @classmethod
    def for_image(cls, width: int, height: int) -> "Strokes":
        """Return strokes that are readable with the whole image on screen, thumbnails to 8K."""
        side = (width * height) ** 0.5
        return cls(line_px=max(1, round(side / 360 + 0.4)), font_px=max(10, round(side / 60 + 4)))


def draw_detections(
    image_bgr: NDArray[np.uint8], detections: Detections, alpha: float = 0.5
) -> NDArray[np.uint8]:
    """Return a copy of an upright uint8 (H, W, 3) image with the detections drawn on it.

    Masks lie under everything else; `alpha` is their opacity, 0 to 1. The best scores are drawn
    last and get the best places for their labels (`person 0.83`). Labels lie inside the image, over
    all boxes; a label without room is omitted. The same input gives the same pixels.
    """
    height, width = image_bgr.shape[:2]
    strokes = Strokes.for_image(width, height)
    ranked = detections.by_score()
    canvas = paint_masks(image_bgr, ranked.masks or (), ranked.class_ids.tolist(), alpha)
    rects = [_visible(box, width, height) for box in ranked.xyxy.tolist()]
    shown = [
        (rect, class_id, f"{name} {score:.2f}")
        for rect, class_id, name, score in zip(
            rects, ranked.class_ids.tolist(), ranked.names, ranked.scores.tolist(), strict=True
        )
        if rect is not None
    ]
    for rect, class_id, _ in reversed(shown):
        _draw_box(canvas, rect, class_id, strokes)
    taken: list[_Rect] = []
    for rect, class_id, text in shown:
        strip = label_strip(text, strokes.font_px, colour_of(class_id))[:height, :width]
        place = _place(strip.shape[1], strip.shape[0], rect, (width, height), taken)
        if place is not None:
            x1, y1, x2, y2 = place
            canvas[y1:y2, x1:x2] = strip
            taken.append(place)
    return canvas


def _visible(box: Sequence[float], width: int, height: int) -> _Rect | None:
    """Return the whole pixels of a box inside the image (at least one), or `None` if none are."""
    x1, y1, x2, y2 = box
    if x2 < 0 or y2 < 0 or x1 >= width or y1 >= height or x2 < x1 or y2 < y1:
        return None
    left, top = round(max(x1, 0)), round(max(y1, 0))
    left, top = min(left, width - 1), min(top, height - 1)
    return left, top, max(round(min(x2, width)), left + 1), max(round(min(y2, height)), top + 1)


def _draw_box(canvas: NDArray[np.uint8], rect: _Rect, class_id: int, strokes: Strokes) -> None:
    """Draw the outline of a box, growing outwards so that it never covers a small object."""
    x1, y1, x2, y2 = rect
    # Around a tiny object the usual line would be larger than the object.
    line = min(strokes.line_px, max(1, min(x2 - x1, y2 - y1) // 6))
    for grown in range(line):
        # Half of the line lies outside, including an odd pixel.
        out = (line + 1) // 2 - grown
        cv2.rectangle(
            canvas, (x1 - out, y1 - out), (x2 - 1 + out, y2 - 1 + out), colour_of(class_id), 1
        )


def _place(
    width: int, height: int, rect: _Rect, image_wh: tuple[int, int], taken: list[_Rect]
) -> _Rect | None:
    """Return the first free place for a box's label, moved into the image.

    `None` if there is none: in a crowd, a pile of labels says less than the box and its colour
    alone, and hides what is under it.
    """
    for wanted_x, wanted_y in _places(width, height, rect):
        x = min(max(wanted_x, 0), image_wh[0] - width)
        y = min(max(wanted_y, 0), image_wh[1] - height)
        label = (x, y, x + width, y + height)
        if not any(_overlap(label, other) for other in taken):
            return label
    return None


def _places(width: int, height: int, rect: _Rect) -> Iterator[tuple[int, int]]:
    """Yield where a label may go: on the box, inside it, below it; left, then right."""
    x1, y1, x2, y2 = rect
    for y in (y1 - height, y1, y2, y2 - height):
        yield x1, y
        yield x2 - width, y


def _overlap(a: _Rect, b: _Rect) -> bool:
    return a[0] < b[2] and b[0] < a[2] and a[1] < b[3] and b[1] < a[3]
