"""Encodes images."""

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from core.errors import BadInputError

MAX_JPEG_SIDE = 65500  # libjpeg's limit
MAX_WEBP_SIDE = 16383  # the format's

_PNG_EFFORT = 1  # photographs compress little better at any effort


def encode_picture(image_bgr: NDArray[np.uint8], form: str, quality: int) -> bytes:
    """Return a uint8 (H, W, 3) image as `jpg`, `png` or `webp`; always the same bytes.

    `quality` is 1 to 100. PNG loses nothing and ignores it. WebP always halves the resolution of
    colours, so thin coloured lines are less crisp than in the others.

    Raises:
        BadInputError: `not_encodable`: a side is too long for the format.
    """
    if form == "jpg":
        return encode_jpeg(image_bgr, quality)
    if form == "png":
        return _encoded(image_bgr, "PNG", [cv2.IMWRITE_PNG_COMPRESSION, _PNG_EFFORT])
    _check_side(image_bgr, "WebP", MAX_WEBP_SIDE)
    return _encoded(image_bgr, "WebP", [cv2.IMWRITE_WEBP_QUALITY, quality])


def encode_jpeg(image_bgr: NDArray[np.uint8], quality: int) -> bytes:
    """Return a uint8 (H, W, 3) image as a JPEG in full colour resolution; always the same bytes.

    Colour is not subsampled: the thin coloured lines and small labels of annotated images would
    bleed.

    Raises:
        BadInputError: `not_encodable`: a side is too long for a JPEG.
    """
    _check_side(image_bgr, "JPEG", MAX_JPEG_SIDE)
    options = [
        cv2.IMWRITE_JPEG_QUALITY,
        quality,
        cv2.IMWRITE_JPEG_SAMPLING_FACTOR,
        cv2.IMWRITE_JPEG_SAMPLING_FACTOR_444,
    ]
    return _encoded(image_bgr, "JPEG", options)


def _check_side(image_bgr: NDArray[np.uint8], form: str, most: int) -> None:
    height, width = image_bgr.shape[:2]
    if max(height, width) > most:
        raise BadInputError(
            "not_encodable", f"{width}x{height} is more than a {form} holds ({most} a side)"
        )


_SUFFIXES = {"JPEG": ".jpg", "PNG": ".png", "WebP": ".webp"}


def _encoded(image_bgr: NDArray[np.uint8], form: str, options: Sequence[int]) -> bytes:
    encoded, buffer = cv2.imencode(_SUFFIXES[form], image_bgr, options)
    if not encoded:
        height, width = image_bgr.shape[:2]
        raise BadInputError("not_encodable", f"this {width}x{height} image became no {form}")
    return buffer.tobytes()
