"""Label maps as PNG."""

import io

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from vision.draw.mask_file import read_pixels
from vision.palette import colour_of

MOST_CLASSES = 256
_COMPRESSION = 1  # large areas of one value: more effort saves little

_PALETTE = bytes(
    channel for class_id in range(MOST_CLASSES) for channel in reversed(colour_of(class_id))
)


def encode_mask(labels: NDArray[np.uint8]) -> bytes:
    """A palette PNG of a label map [H,W]: a pixel's value is its class; the same bytes every time.

    Viewers show the colours that the classes have in pictures.
    """
    image = Image.fromarray(labels)
    image.putpalette(_PALETTE)
    buffer = io.BytesIO()
    image.save(buffer, "PNG", compress_level=_COMPRESSION)
    return buffer.getvalue()


def decode_mask(png: bytes) -> NDArray[np.uint8]:
    """The label map [H,W] that `encode_mask` wrote.

    Raises:
        BadInputError: `decode_failed`.
    """
    return read_pixels(png, "P")
