"""Masks as the PNG files beside results."""

import io
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL.PngImagePlugin import PngImageFile

from core.errors import BadInputError


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
