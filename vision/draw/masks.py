"""Paints object masks over their picture."""

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from predictions.run_lengths import RunLengths
from vision.palette import colour_of

_SHADES = 255  # classes that a map of bytes can tell apart
_COLOURS = np.array([(0, 0, 0), *map(colour_of, range(_SHADES))], np.uint8)


def paint_masks(
    image_bgr: NDArray[np.uint8],
    masks: Sequence[RunLengths],
    class_ids: Sequence[int],
    alpha: float,
) -> NDArray[np.uint8]:
    """Return a copy of a uint8 (H, W, 3) image with masks of its size over it, first one on top.

    `alpha` is the opacity of the classes' colours, 0 to 1. All masks are blended at once, so a
    pixel in several masks is covered no more than others.
    """
    canvas = image_bgr.copy()
    if not masks:
        return canvas
    height, width = canvas.shape[:2]
    columns = np.zeros(width * height, np.uint8)
    for mask, class_id in zip(reversed(masks), reversed(class_ids), strict=True):
        for start, end in mask.runs().tolist():
            columns[start:end] = class_id % _SHADES + 1
    classes = np.ascontiguousarray(columns.reshape(width, height).T)
    blended = cv2.addWeighted(image_bgr, 1 - alpha, _COLOURS[classes], alpha, 0)
    cv2.copyTo(blended, classes, canvas)
    return canvas
