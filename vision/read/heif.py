"""Reads AVIF with Pillow (libavif), and HEIC with pillow-heif (libheif and libde265).

How a picture is turned, the container says, and not the EXIF data in it: ISO/IEC 23008-12, 6.5.10
and 6.5.12, `irot` and `imir`. The boxes of a container are those of ISO/IEC 14496-12, 4.2.
"""

import io
import re
import struct
from dataclasses import dataclass
from typing import TYPE_CHECKING

import cv2
import numpy as np
from PIL import AvifImagePlugin, Image, UnidentifiedImageError

from core import formats
from core.errors import BadInputError
from vision.read.decoded import Decoded, Header
from vision.read.exif import orientation_of
from vision.read.identify import identify

if TYPE_CHECKING:
    import pillow_heif

# Many pictures are decoded at once; none of them needs several threads of its own.
AvifImagePlugin.DEFAULT_MAX_THREADS = 1

_COLOURS = 3
_BOX = 8  # bytes that a box has at least
# ISO/IEC 23008-12, 6.5.3, `ispe`: the size of an item.
_STATED = re.compile(rb"ispe\0{4}(.{8})", re.DOTALL)
_SIZE = struct.Struct(">II")
_MOST_PIXELS = 1 << 28  # libavif's and libheif's own limit


@dataclass(frozen=True, slots=True)
class HeifHeader(Header):
    """`opened` is the picture whose pixels are not decoded yet."""

    opened: "Image.Image | pillow_heif.HeifFile"

    @property
    def decode_bytes(self) -> int:
        """See `Header`; measured: libavif takes 12 bytes a pixel, and 16 with alpha."""
        return 16 * self.width * self.height


def inspect(data: bytes) -> HeifHeader:
    """See `vision.read.decoded.Reader`."""
    found = identify(data)
    try:
        opened = _open_heic(data) if found is formats.HEIC else _open_avif(data)
    except ImportError as error:  # whoever builds an image of his own may leave it out
        raise BadInputError("not_supported", "this is HEIC, and pillow-heif is not here") from error
    except Exception as error:  # whatever they raise on hostile bytes
        raise _damage(data, error) from error
    width, height = opened.size
    return HeifHeader(found, width, height, opened)


def _open_avif(data: bytes) -> Image.Image:
    return Image.open(io.BytesIO(data), formats=("AVIF",))


def _open_heic(data: bytes) -> "pillow_heif.HeifFile":
    import pillow_heif  # noqa: PLC0415 - most pictures are no HEIC

    pillow_heif.options.DECODE_THREADS = 1
    return pillow_heif.open_heif(data, bgr_mode=True)


def decode(data: bytes, header: HeifHeader, *, is_lenient: bool) -> Decoded:  # noqa: ARG001
    """See `vision.read.decoded.Reader`; damaged ones are always refused."""
    opened = header.opened
    try:
        pixels = np.asarray(opened)
    except Exception as error:
        raise _damage(data, error) from error
    if isinstance(opened, Image.Image):
        code = cv2.COLOR_RGBA2BGR if opened.mode == "RGBA" else cv2.COLOR_RGB2BGR
        orientation = orientation_of(opened.info.get("exif", b"").removeprefix(b"Exif\0\0"))
        return Decoded(np.asarray(cv2.cvtColor(pixels, code), dtype=np.uint8), orientation)
    if pixels.dtype != np.uint8:  # grey of more bits stays as it is
        pixels = (pixels >> 8).astype(np.uint8)
    pixels = np.atleast_3d(pixels)
    if pixels.shape[2] < _COLOURS:
        grey = np.ascontiguousarray(pixels[..., 0])
        return Decoded(np.asarray(cv2.cvtColor(grey, cv2.COLOR_GRAY2BGR), dtype=np.uint8))
    return Decoded(np.ascontiguousarray(pixels[..., :_COLOURS]))


def _damage(data: bytes, error: Exception) -> BadInputError:
    if _is_cut(data):
        return BadInputError("truncated", "the file ends within a box of its container")
    for width, height in map(_SIZE.unpack, _STATED.findall(data)):
        if width * height > _MOST_PIXELS:
            words = f"{width}x{height} is {width * height} pixels, the decoder takes {_MOST_PIXELS}"
            return BadInputError("too_large", words)
    is_unread = isinstance(error, UnidentifiedImageError)  # its message is an address
    words = "its header is unreadable" if is_unread else str(error)
    return BadInputError("decode_failed", f"the picture is damaged: {words}")


def _is_cut(data: bytes) -> bool:
    """Return whether the last box of the container is not whole."""
    at = 0
    while at + _BOX <= len(data):
        (length,) = struct.unpack_from(">I", data, at)
        if length == 1 and at + 16 <= len(data):
            (length,) = struct.unpack_from(">Q", data, at + 8)
        if length < _BOX:  # 0: up to the end
            return False
        at += length
    return at != len(data)
