"""Lines of text in the corner of a picture."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from predictions.answer import ClassScore
from vision.draw.detections import Strokes
from vision.draw.strip import label_strip
from vision.palette import colour_of

_LEAST_SHOWN = 0.05  # result rows have them all


def draw_classes(image_bgr: NDArray[np.uint8], classes: Sequence[ClassScore]) -> NDArray[np.uint8]:
    """Return a copy of an upright uint8 (H, W, 3) image with classes in its upper left corner.

    The first is always shown, others if they score at least 0.05 and there is room.
    """
    canvas = image_bgr.copy()
    stack_lines(
        canvas,
        [
            (one.class_id, f"{one.label} {one.score:.2f}")
            for place, one in enumerate(classes)
            if not place or one.score >= _LEAST_SHOWN
        ],
    )
    return canvas


def stack_lines(canvas: NDArray[np.uint8], lines: Sequence[tuple[int, str]]) -> None:
    """Write lines onto the canvas in place, from the upper left corner down.

    Each line is a class, which gives its colour, and a text. Lines without room are omitted.
    """
    height, width = canvas.shape[:2]
    font_px = Strokes.for_image(width, height).font_px
    margin = font_px // 2 if min(height, width) > 4 * font_px else 0
    top = margin
    for class_id, text in lines:
        strip = label_strip(text, font_px, colour_of(class_id))[:, : max(0, width - margin)]
        if top + len(strip) > height:
            return
        canvas[top : top + len(strip), margin : margin + strip.shape[1]] = strip
        top += len(strip)


def percent(share: float) -> str:
    """Return a share, 0 to 1, as a legend shows it: a class that occurs is never 0%."""
    text = f"{share:.0%}"
    return "<1%" if share and text == "0%" else text
