"""What a task brings along to be drawn: how, from which mask file, and what it cuts out."""

import io
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL.PngImagePlugin import PngImageFile

from core.errors import BadInputError
from core.options import DrawOptions
from predictions.answer import Answer


def read_pixels(png: bytes, mode: str) -> NDArray[Any]:
    """The uint8 pixels of a PNG as they are stored, `mode` being Pillow's word for their kind.

    Raises:
        BadInputError: `decode_failed`: it is damaged, or of another kind.
    """
    try:
        # Not by `Image.open`, which would warn of masks that are as large as their pictures.
        with PngImageFile(io.BytesIO(png)) as image:
            found = image.mode
            pixels = np.asarray(image)
    except Exception as error:  # whatever its readers raise on broken bytes
        raise BadInputError("decode_failed", f"the mask is unreadable: {error}") from error
    if found != mode:
        raise BadInputError("decode_failed", f"the mask is a PNG of kind {found}, not {mode}")
    return pixels


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
