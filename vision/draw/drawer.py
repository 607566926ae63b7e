"""What a task draws, and which files its masks are."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from core.options import DrawOptions
from predictions.answer import Answer

Pixels = NDArray[np.uint8]


@dataclass(frozen=True, slots=True)
class MaskFile:
    """How a task's masks become PNG files, and masks again: `Answer.mask` and back."""

    encode: Callable[[NDArray[Any]], bytes]
    decode: Callable[[bytes], NDArray[Any]]


@dataclass(frozen=True, slots=True)
class Drawer:
    """How a task's answers become pictures.

    `draw` returns a new picture from an upright one (H, W, 3), blue first. `cut_out` returns a PNG
    of what a mask [H,W] leaves of a picture.
    """

    draw: Callable[[Pixels, Answer, DrawOptions], Pixels]
    mask_file: MaskFile | None = None
    cut_out: Callable[[Pixels, NDArray[Any]], bytes] | None = None
