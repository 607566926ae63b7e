"""What the heatmaps of joints should show: a round hill at each joint."""

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]

_SIGMA = 1.5  # cells


def targets(joints: Floats, size: tuple[int, int], stride: int) -> tuple[Floats, Floats]:
    """Heatmaps [N,K,h,w] of joints [N,K,3] (x, y, visibility), and a weight [N,K] of each.

    `size` (width, height) is that of the input in pixels, of which a cell covers `stride` x
    `stride`. The hills are 1 high at the joint itself, which need not be a cell's middle (unbiased,
    as DARK reads them; Zhang 2020). The cell of the point p is p / stride, as PaddleDetection has
    it. Joints outside of the picture or of the heatmap weigh nothing.
    """
    columns, rows = np.arange(size[0] // stride), np.arange(size[1] // stride)
    cells = joints[..., :2] / stride
    across = np.exp(-((columns - cells[..., :1]) ** 2) / (2 * _SIGMA**2))
    down = np.exp(-((rows - cells[..., 1:]) ** 2) / (2 * _SIGMA**2))
    inside = ((cells >= 0) & (cells <= (columns[-1], rows[-1]))).all(-1)
    weights = inside & (joints[..., 2] > 0)
    heatmaps = down[..., :, None] * across[..., None, :]
    return heatmaps.astype(np.float32), weights.astype(np.float32)
