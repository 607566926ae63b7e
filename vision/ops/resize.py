"""Resizes images to what a model wants, with the official tools' rounding.

Source of the formulas: PaddleDetection, `deploy/python/preprocess.py`. All sizes are (height,
width). Channels are resized one by one, so their order does not matter here.
"""

from typing import Any

import cv2
from numpy.typing import NDArray

Size = tuple[int, int]
Pixels = NDArray[Any]  # (H, W, 3), uint8 or float32


def scale_to_fit(size: Size, target: Size) -> float:
    """Return the scale that makes the short side min(target) with the long one within max(target).

    If the long side, rounded, would exceed that, return the scale that makes it max(target).
    """
    scale = min(target) / min(size)
    if round(scale * max(size)) > max(target):
        scale = max(target) / max(size)
    return scale


def resize_by(image: Pixels, scale_yx: tuple[float, float], interp: int) -> Pixels:
    """Scale an image (H, W, 3); the new size is rounded by cv2 and is at least one pixel.

    cv2 is given the scales rather than the size: it samples by them, and they differ if the size
    was rounded.
    """
    height, width = image.shape[:2]
    scale_y, scale_x = scale_yx
    new_height, new_width = round(height * scale_y), round(width * scale_x)
    if new_height and new_width:
        return cv2.resize(image, None, fx=scale_x, fy=scale_y, interpolation=interp)
    # A sliver (1x5000) would vanish, on which cv2 and the official tools crash.
    size_wh = (max(new_width, 1), max(new_height, 1))
    return cv2.resize(image, size_wh, interpolation=interp)


def letterbox(image: Pixels, target: Size) -> tuple[Pixels, Size, float]:
    """Scale an image to fit in `target`, centred on grey.

    Returns:
        The image of size `target`, the size (h, w) of the picture in it, and its scale.
    """
    height, width = image.shape[:2]
    scale = min(target[0] / height, target[1] / width)
    inner_h, inner_w = max(round(height * scale), 1), max(round(width * scale), 1)
    margin_y, margin_x = (target[0] - inner_h) / 2, (target[1] - inner_w) / 2
    inner = cv2.resize(image, (inner_w, inner_h), interpolation=cv2.INTER_AREA)
    boxed = cv2.copyMakeBorder(
        inner,
        # The extra pixel of an odd margin goes to the bottom and right.
        round(margin_y - 0.1),
        round(margin_y + 0.1),
        round(margin_x - 0.1),
        round(margin_x + 0.1),
        cv2.BORDER_CONSTANT,
        value=(127.5, 127.5, 127.5),
    )
    return boxed, (round(height * scale), round(width * scale)), scale
