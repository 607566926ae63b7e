"""Segments drawn over their picture."""

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from predictions.class_score import ClassScore
from vision.class_counts import class_counts
from vision.draw.caption import percent, stack_lines
from vision.draw.label_map import MOST_CLASSES
from vision.palette import colour_of

_COLOURS = np.array([colour_of(class_id) for class_id in range(MOST_CLASSES)], np.uint8)


def is_background(label: str) -> bool:
    """Whether a class is by its name what is left of a picture."""
    return label.strip("_").lower() == "background"


def draw_segments(
    image_bgr: NDArray[np.uint8],
    labels: NDArray[np.uint8],
    classes: Sequence[ClassScore],
    alpha: float,
    background: int | None,
) -> NDArray[np.uint8]:
    """A copy of an upright uint8 (H, W, 3) image under the colours of its label map [H,W].

    `alpha` is how much of a colour covers the picture, 0 to 1; the class `background` covers
    nothing. The legend in the upper left corner has the other classes with their shares, as the
    map has them, as far as there is room.
    """
    blended = cv2.addWeighted(image_bgr, 1 - alpha, _COLOURS[labels], alpha, 0)
    canvas = np.asarray(blended, np.uint8)
    if background is not None:
        cv2.copyTo(image_bgr, (labels == background).astype(np.uint8), canvas)
    # Counted again: rows hold shares in 32 bits, which may be rounded to another percent.
    shares = class_counts(labels) / labels.size
    stack_lines(
        canvas,
        [
            (one.class_id, f"{one.label} {percent(shares[one.class_id])}")
            for one in classes
            if one.class_id != background
        ],
    )
    return canvas
