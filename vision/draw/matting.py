"""Stores and draws alpha maps: how much of each pixel belongs to the foreground."""

import cv2
import numpy as np
from numpy.typing import NDArray

from core.errors import BadInputError
from vision.draw.drawer import read_pixels
from vision.palette import Colour

_EFFORT = [cv2.IMWRITE_PNG_COMPRESSION, 1]  # soft edges compress badly at any effort


def alpha_bytes(alpha: NDArray[np.float32]) -> NDArray[np.uint8]:
    """Return a map of 0 to 1 as 0 to 255, clipped, and rounded down as the official tool does."""
    return (np.clip(alpha, 0, 1) * np.float32(255)).astype(np.uint8)


def encode_alpha(alpha: NDArray[np.uint8]) -> bytes:
    """Return an alpha map [H,W] as a grey PNG, 255 for foreground; the same bytes every time.

    Raises:
        BadInputError: `not_encodable`.
    """
    return _png(alpha)


def decode_alpha(png: bytes) -> NDArray[np.uint8]:
    """Return the alpha map [H,W] that `encode_alpha` wrote.

    Raises:
        BadInputError: `decode_failed`.
    """
    return read_pixels(png, "L")


def encode_cutout(image_bgr: NDArray[np.uint8], alpha: NDArray[np.uint8]) -> bytes:
    """Return an image (H, W, 3) as a PNG with its alpha map [H,W] for transparency.

    Colours are those of the image, so half-transparent edges keep some of the old background (as
    the official tool with `--fg_estimate False`).

    Raises:
        BadInputError: `not_encodable`.
    """
    return _png(np.dstack([image_bgr, alpha]))


def over_background(
    image_bgr: NDArray[np.uint8], alpha: NDArray[np.uint8], background: Colour
) -> NDArray[np.uint8]:
    """Return an image (H, W, 3) in front of a colour, by its alpha map [H,W]; rounded."""
    share = cv2.merge([alpha] * 3)
    front = cv2.multiply(image_bgr, share, scale=1 / 255, dtype=cv2.CV_32F)
    colour = np.array(background, np.float32) / np.float32(255)
    mixed = front + (255 - share) * colour
    return np.asarray(np.rint(mixed), np.uint8)


def _png(pixels: NDArray[np.uint8]) -> bytes:
    encoded, buffer = cv2.imencode(".png", pixels, _EFFORT)
    if not encoded:
        height, width = pixels.shape[:2]
        raise BadInputError("not_encodable", f"this {width}x{height} map became no PNG")
    return buffer.tobytes()
