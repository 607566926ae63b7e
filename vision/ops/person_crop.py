"""Crops the part of a picture that a top-down model sees of one person."""

from collections.abc import Sequence

from vision.ops.resize import Size
from vision.rectangle import Rectangle

_GROWN = 1.3
_TALL, _NARROW = 4 / 3, 0.75


def person_crop(box: Sequence[float], size: Size) -> Rectangle | None:
    """Return the crop for the box x1, y1, x2, y2 of a person in an image of `size` (h, w).

    The box is grown by 0.3 and, if it is slim, widened to 3:4, then clipped to the image. None if
    nothing is left. All rounding is PaddleDetection's (`expand_crop` in
    `deploy/python/keypoint_preprocess.py`): coordinates are truncated, and the image's last row and
    column are never included.
    """
    x1, y1, x2, y2 = map(int, box)
    half_height, half_width = (y2 - y1) * _GROWN / 2, (x2 - x1) * _GROWN / 2
    if half_height > half_width * _TALL:
        half_width = half_height * _NARROW
    middle_x, middle_y = (x1 + x2) / 2, (y1 + y2) / 2
    crop = Rectangle(
        max(0, int(middle_x - half_width)),
        max(0, int(middle_y - half_height)),
        min(size[1] - 1, int(middle_x + half_width)),
        min(size[0] - 1, int(middle_y + half_height)),
    )
    return crop if crop.x1 < crop.x2 and crop.y1 < crop.y2 else None
