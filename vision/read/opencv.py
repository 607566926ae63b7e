"""Decodes what OpenCV decodes: as stored, strictly, and as the official tools see it."""

import cv2
import numpy as np
from numpy.typing import NDArray

# OpenCV logs what is wrong with pictures, but not with which; the reasons here go to their rows.
cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_SILENT)


def decode_or_none(data: bytes | bytearray) -> NDArray[np.uint8] | None:
    """Return the picture as uint8 (H, W, 3), blue first and not turned; None if it is damaged."""
    try:
        image = cv2.imdecode(
            np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR | cv2.IMREAD_IGNORE_ORIENTATION
        )
    except cv2.error:
        return None
    return None if image is None else np.asarray(image, dtype=np.uint8)
