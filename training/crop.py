"""Crops the part of a picture that a top-down keypoint model sees, as PaddleDetection does."""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from training.view import Image

GROWN = 1.3
"""The size of a crop relative to its box."""

ASPECT = 0.75
"""The network input's width divided by its height."""


@dataclass(frozen=True, slots=True)
class Crop:
    """A rectangle of whole pixels in a picture; x2 and y2 are exclusive.

    It fills the width of the network's input; a height left over is black, and one that is too much
    is cut off.
    """

    x1: int
    y1: int
    x2: int
    y2: int

    def image(self, image: Image, size: tuple[int, int]) -> Image:
        """Return the crop of a picture [H,W,3] at `size` (width, height)."""
        part = image[self.y1 : self.y2, self.x1 : self.x2]
        scale = size[0] / (self.x2 - self.x1)
        middle = np.array([self.x2 - self.x1, self.y2 - self.y1]) / 2
        shift = np.array(size) / 2 - scale * middle
        matrix = np.array([[scale, 0, shift[0]], [0, scale, shift[1]]])
        return np.asarray(cv2.warpAffine(part, matrix, size, flags=cv2.INTER_LINEAR), np.uint8)

    def points(self, points: NDArray[np.float64], size: tuple[int, int]) -> NDArray[np.float64]:
        """Return points [N,2] of the network's input of `size` in pixels of the picture."""
        scale = (self.x2 - self.x1) / size[0]
        middle = np.array([self.x1 + self.x2, self.y1 + self.y2]) / 2
        return (points - np.array(size) / 2) * scale + middle


def official_crop(box: tuple[float, float, float, float], picture: tuple[int, int]) -> Crop:
    """Return the crop for a box x1, y1, x2, y2 in a picture of (width, height).

    Source: PaddleDetection, `expand_crop` in `deploy/python/keypoint_preprocess.py`.
    """
    x1, y1, x2, y2 = map(int, box)
    half_height, half_width = (y2 - y1) * GROWN / 2, (x2 - x1) * GROWN / 2
    half_width = max(half_width, half_height * ASPECT)
    x, y = (x1 + x2) / 2, (y1 + y2) / 2
    width, height = picture
    return Crop(
        max(0, int(x - half_width)),
        max(0, int(y - half_height)),
        min(width - 1, int(x + half_width)),
        min(height - 1, int(y + half_height)),
    )
