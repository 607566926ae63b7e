"""How many pixels of a label map are of each class."""

import cv2
import numpy as np
from numpy.typing import NDArray

_CLASSES = 256
_EXACT = 2**24  # up to here cv2's counts, which are 32-bit floats, are whole numbers


def class_counts(labels: NDArray[np.uint8]) -> NDArray[np.int64]:
    """The counts (256,) of a map [H,W]; several times as fast as NumPy's."""
    counts = np.zeros(_CLASSES, np.int64)
    rows = max(1, _EXACT // labels.shape[1])
    for start in range(0, len(labels), rows):
        found = cv2.calcHist([labels[start : start + rows]], [0], None, [_CLASSES], [0, _CLASSES])
        counts += np.asarray(found, np.float32)[:, 0].astype(np.int64)
    return counts
