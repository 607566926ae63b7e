"""Keeps strips and tiles of TIFFs from stating sizes that are not the picture's."""

import struct

from core.errors import BadInputError
from vision.read import jpeg2000, png, webp
from vision.read.decoded import Header
from vision.read.jpeg.structure import read_structure

_JPEG, _LERC, _PNG = 7, 34887, 34933
_WEBP, _JPEG_2000 = {34927, 50001}, {33004, 33005, 34712}

_WITH_CHECKSUM = 3

# Encoders round up to whole blocks, and some write the rows of a whole strip into the last one.
_SPARE = 1 << 16


def check_stated_size(compression: int, strip: bytes, pixels: int) -> None:
    """Refuse a strip or tile that is a picture of its own, larger than its place of `pixels`.

    Raises:
        BadInputError: what it states, or that it states nothing.
    """
    width, height = _stated_size(compression, strip)
    if width * height > 2 * pixels + _SPARE:
        raise BadInputError("decode_failed", f"a strip or tile states {width}x{height} pixels")


def _stated_size(compression: int, strip: bytes) -> tuple[int, int]:
    if compression == _JPEG:
        frame = read_structure(strip).frame
        return frame.width, frame.height
    if compression == _LERC:
        return _lerc_size(strip)
    header: Header
    if compression == _PNG:
        header = png.inspect(strip)
    elif compression in _WEBP:
        header = webp.inspect(strip)
    elif compression in _JPEG_2000:
        header = jpeg2000.inspect(strip)
    else:
        return 0, 0  # unpacked into as many bytes as there is place for
    return header.width, header.height


def _lerc_size(strip: bytes) -> tuple[int, int]:
    """See https://github.com/Esri/lerc, Lerc2.h: name, version, from version 3 a checksum, size."""
    if strip[:6] != b"Lerc2 ":
        raise BadInputError("decode_failed", "a strip or tile is no LERC")
    (version,) = struct.unpack_from("<i", strip, 6)
    height, width = struct.unpack_from("<ii", strip, 14 if version >= _WITH_CHECKSUM else 10)
    return width, height
