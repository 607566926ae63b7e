"""Random views of a picture: a window of it, turned, mirrored and relit."""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

Image = NDArray[np.uint8]

IGNORED = 255
"""The label of pixels outside the picture."""

_GREY = (114, 114, 114)
_KEPT_WHOLE = 0.25


@dataclass(frozen=True, slots=True, eq=False)
class View:
    """A window of a picture at `size` (width, height).

    `matrix` [2,3] maps the picture's points to the window's; whole numbers are corners of pixels.
    """

    matrix: NDArray[np.float64]
    size: tuple[int, int]
    mirrored: bool = False

    def image(self, image: Image, *, border: tuple[int, int, int] = _GREY) -> Image:
        """Return the picture [H,W,3] in the window."""
        return self._warped(image, cv2.INTER_LINEAR, border)

    def labels(self, labels: Image) -> Image:
        """Return the labels [H,W] in the window, `IGNORED` outside the picture."""
        return self._warped(labels, cv2.INTER_NEAREST, IGNORED)

    def points(self, points: NDArray[np.floating]) -> NDArray[np.float32]:
        """Return points [...,2] of the picture in pixels of the window."""
        return np.asarray(points @ self.matrix[:, :2].T + self.matrix[:, 2], np.float32)

    def _warped(self, picture: Image, interpolation: int, border: object) -> Image:
        # From pixel corners to pixel centres, which cv2 uses.
        matrix = self.matrix.copy()
        matrix[:, 2] += (matrix[:, :2].sum(1) - 1) / 2
        return np.asarray(
            cv2.warpAffine(picture, matrix, self.size, flags=interpolation, borderValue=border),  # type: ignore[call-overload]
            np.uint8,
        )


def view_of(
    box: tuple[float, float, float, float],
    size: tuple[int, int],
    *,
    angle: float = 0.0,
    mirrored: bool = False,
) -> View:
    """Return a view of a box x1, y1, x2, y2 at `size` (w, h), turned about its middle."""
    low, high = np.array(box[:2], float), np.array(box[2:], float)
    scale = np.array(size) / (high - low)
    cosine, sine = np.cos(angle), np.sin(angle)
    turn = np.array([[cosine, -sine], [sine, cosine]]) * scale[:, None]
    if mirrored:
        turn[0] *= -1
    middle = (low + high) / 2
    shift = np.array(size) / 2 - turn @ middle
    return View(np.concatenate([turn, shift[:, None]], 1), size, mirrored)


def random_view(rng: np.random.Generator, picture: tuple[int, int], size: tuple[int, int]) -> View:
    """Return a random window of a picture of (width, height), which may reach beyond its edges."""
    low, extent = np.zeros(2), np.array(picture, float)
    if rng.random() > _KEPT_WHOLE:
        extent = extent * rng.uniform(0.6, 1.25) * np.exp(rng.uniform(-0.12, 0.12, 2))
        low = rng.uniform(0, 1, 2) * (picture - extent)
    (x1, y1), (x2, y2) = low.tolist(), (low + extent).tolist()
    return view_of((x1, y1, x2, y2), size, mirrored=bool(rng.random() < 0.5))  # noqa: PLR2004


def lit(image: Image, rng: np.random.Generator) -> Image:
    """Return the picture in another light."""
    gain = rng.uniform(0.75, 1.25, 3) * rng.uniform(0.8, 1.2)
    return np.asarray(cv2.transform(image, np.diag(gain)), np.uint8)
