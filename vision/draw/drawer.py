"""What a task registers for drawing: how to draw it, its mask file, and its cut-outs."""

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
    """Return a PNG's uint8 pixels as they are stored; `mode` is Pillow's word for their kind.

    Raises:
        BadInputError: `decode_failed`: it is damaged, or of a different kind.
    """
    try:
        # Not `Image.open`, which would warn about masks as large as their pictures.
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
    """Converts a task's masks (`Answer.mask`) to PNG files and back."""

    encode: Callable[[NDArray[Any]], bytes]
    decode: Callable[[bytes], NDArray[Any]]


@dataclass(frozen=True, slots=True)
class Drawer:
    """How a task's answers become pictures.

    `draw` returns a new picture from an upright one (H, W, 3), blue first. `cut_out` returns a PNG
    of the part of a picture that a mask [H,W] cuts out.
    """

    draw: Callable[[Pixels, Answer, DrawOptions], Pixels]
    mask_file: MaskFile | None = None
    cut_out: Callable[[Pixels, NDArray[Any]], bytes] | None = None
