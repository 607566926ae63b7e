"""What was found in a part of a picture, said of the picture."""

from dataclasses import replace

import numpy as np

from predictions.detections import Detections
from vision.ops.resize import Size
from vision.rle import placed


def moved(found: Detections, x: int, y: int, size: Size) -> Detections:
    """The boxes and masks in a larger picture of `size` (h, w), which has this one at (x, y)."""
    masks = found.masks
    if masks is not None:
        masks = tuple(placed(mask, size, x, y) for mask in masks)
    return replace(found, xyxy=found.xyxy + np.array([x, y, x, y], np.float32), masks=masks)
