"""Encodes images."""

import cv2
import numpy as np
from numpy.typing import NDArray

from core.errors import BadInputError

MAX_JPEG_SIDE = 65500  # libjpeg's limit


def encode_jpeg(image_bgr: NDArray[np.uint8], quality: int) -> bytes:
    """Return a uint8 (H, W, 3) image as a JPEG in full colour resolution; always the same bytes.

    Colour is not subsampled: the thin coloured lines and small labels of annotated images would
    bleed.

    Raises:
        BadInputError: `not_encodable`: a side is too long for a JPEG.
    """
    height, width = image_bgr.shape[:2]
    if max(height, width) > MAX_JPEG_SIDE:
        raise BadInputError(
            "not_encodable", f"{width}x{height} is more than a JPEG holds ({MAX_JPEG_SIDE} a side)"
        )
    options = [
        cv2.IMWRITE_JPEG_QUALITY,
        quality,
        cv2.IMWRITE_JPEG_SAMPLING_FACTOR,
        cv2.IMWRITE_JPEG_SAMPLING_FACTOR_444,
    ]
    encoded, buffer = cv2.imencode(".jpg", image_bgr, options)
    if not encoded:
        raise BadInputError("not_encodable", f"this {width}x{height} image became no JPEG")
    return buffer.tobytes()
