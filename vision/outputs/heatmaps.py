"""Reads points from the heatmaps of a top-down keypoint model.

Source of the formulas: PaddleDetection, `HRNetPostProcess` in
`deploy/python/keypoint_postprocess.py`, which takes DARK from Zhang et al., "Distribution-aware
coordinate representation for human pose estimation" (CVPR 2020).
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from core.errors import BadInputError

_FLOOR = 1e-10  # the least value that a logarithm is taken of
_SHIFT = 0.25
_AROUND = np.arange(-2, 3)


def read_heatmaps(heatmaps: NDArray[Any], *, dark: bool = True) -> NDArray[np.float64]:
    """Return each heatmap's (N, K, h, w) best point as (N, K, 3): x, y in cells, and its score.

    Points are refined to the maximum of a parabola through the logarithm of the blurred heatmap
    (DARK), or else by a quarter of a cell towards the higher neighbour. Points at the rim stay on
    their cell, and so do those of heatmaps that are nowhere positive: they are (0, 0).

    Raises:
        BadInputError: `model_output_invalid`: a heatmap holds NaN or infinity.
    """
    if not np.isfinite(heatmaps).all():
        raise BadInputError("model_output_invalid", "the model's heatmaps hold NaN or infinity")
    people, joints, height, width = heatmaps.shape
    flat = heatmaps.reshape(people, joints, height * width)
    best = flat.argmax(2)
    scores = np.take_along_axis(flat, best[..., None], 2)[..., 0]
    best = np.where(scores > 0, best, 0)
    cells = np.stack([best % width, best // width], axis=-1)
    rim = 2 if dark else 1
    inside = ((cells > 1) & (cells < np.subtract((width, height), rim))).all(-1)
    found = np.empty((people, joints, 3))
    found[..., :2], found[..., 2] = cells, scores
    refine = _dark_offsets if dark else _shifts
    found[inside, :2] += refine(heatmaps[inside].astype(np.float32, copy=False), cells[inside])
    return found


def _dark_offsets(maps: NDArray[np.float32], cells: NDArray[np.intp]) -> NDArray[np.float64]:
    """Return the Newton step (M, 2) from cells (M, 2) of maps (M, h, w) to the maximum nearby."""
    blurred = _blurred(maps)
    # The peak's height is kept, which matters for values that are raised to the floor.
    blurred *= (maps.max((1, 2)) / blurred.max((1, 2)))[:, None, None]
    rows, columns = cells[:, 1, None, None] + _AROUND[:, None], cells[:, 0, None, None] + _AROUND
    near = blurred[np.arange(len(maps))[:, None, None], rows, columns].astype(np.float64)
    near = np.log(np.maximum(near, _FLOOR))
    dx, dy = (near[:, 2, 3] - near[:, 2, 1]) / 2, (near[:, 3, 2] - near[:, 1, 2]) / 2
    dxx = (near[:, 2, 4] - 2 * near[:, 2, 2] + near[:, 2, 0]) / 4
    dyy = (near[:, 4, 2] - 2 * near[:, 2, 2] + near[:, 0, 2]) / 4
    dxy = (near[:, 3, 3] - near[:, 1, 3] - near[:, 3, 1] + near[:, 1, 1]) / 4
    determinant = dxx * dyy - dxy**2
    flat = determinant == 0
    step = np.stack([dxy * dy - dyy * dx, dxy * dx - dxx * dy], axis=-1)
    step[flat] = 0
    return step / np.where(flat, 1, determinant)[:, None]


def _blurred(maps: NDArray[np.float32]) -> NDArray[np.float32]:
    """Blur maps (M, h, w) with OpenCV's 3x3 Gaussian (1 2 1), with zeros around them."""
    padded = np.pad(maps, ((0, 0), (1, 1), (1, 1)))
    rows = padded[:, :-2] + 2 * padded[:, 1:-1] + padded[:, 2:]
    blurred: NDArray[np.float32] = (rows[:, :, :-2] + 2 * rows[:, :, 1:-1] + rows[:, :, 2:]) / 16
    return blurred


def _shifts(maps: NDArray[np.float32], cells: NDArray[np.intp]) -> NDArray[np.float64]:
    x, y = cells.T
    every = np.arange(len(maps))
    differences = np.stack(
        [
            maps[every, y, x + 1] - maps[every, y, x - 1],
            maps[every, y + 1, x] - maps[every, y - 1, x],
        ],
        axis=-1,
    )
    return np.asarray(_SHIFT * np.sign(differences), np.float64)
