"""Makes a picture of a file's bytes, or says why none can be made of them."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from core import formats
from core.errors import BadInputError
from core.formats import Format
from vision.read import bmp, gif, heif, jpeg2000, netpbm, png, webp
from vision.read.decoded import Header, Reader
from vision.read.identify import identify
from vision.read.jpeg import reader as jpeg
from vision.read.tiff import reader as tiff
from vision.read.upright import upright

READERS: Mapping[Format, Reader[Any]] = {
    formats.JPEG: jpeg,
    formats.PNG: png,
    formats.WEBP: webp,
    formats.BMP: bmp,
    formats.GIF: gif,
    formats.TIFF: tiff,
    formats.BIG_TIFF: tiff,
    formats.PNM: netpbm,
    formats.JPEG_2000: jpeg2000,
    formats.AVIF: heif,
    formats.HEIC: heif,
}
"""The module that reads a format, for each format that is read."""


@dataclass(frozen=True, slots=True)
class Picture:
    """An upright picture, uint8 (H, W, 3), blue first, and what was odd about its file."""

    pixels: NDArray[np.uint8]
    warnings: tuple[str, ...]


def read_picture(
    data: bytes,
    *,
    max_pixels: int,
    is_lenient: bool = False,
    begin: Callable[[Header], object] = lambda _: None,
) -> Picture:
    """Return the first picture of an encoded image.

    EXIF orientation is applied, 16 bits become the upper 8, grey and palettes become colour, and
    alpha is dropped. With `is_lenient`, damaged pictures are read as far as they go, with a
    warning. `begin` is called with what is known of the picture before anything of its size is
    allocated; it may wait for memory. Safe to call from many threads.

    Raises:
        BadInputError: `empty`, `not_an_image` (by its content), `not_supported` (a format or a
            variant that is not read; the message names it), `too_large` (more than `max_pixels` by
            its header; nothing was allocated), `truncated` (the file is cut short) or
            `decode_failed` (damaged).
    """
    if not data:
        raise BadInputError("empty", "the file holds no bytes")
    found = identify(data)
    if not found.is_read:
        raise BadInputError("not_supported", f"this is {found.name}, which is not read")
    reader = READERS[found]
    header = reader.inspect(data)
    _check_size(header, max_pixels)
    begin(header)
    decoded = reader.decode(data, header, is_lenient=is_lenient)
    return Picture(upright(decoded.pixels, decoded.orientation), decoded.warnings)


def _check_size(header: Header, max_pixels: int) -> None:
    pixels = header.width * header.height
    if pixels > max_pixels:
        raise BadInputError(
            "too_large",
            f"{header.width}x{header.height} is {pixels} pixels, the limit is {max_pixels}",
        )
