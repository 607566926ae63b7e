"""Keeps strips and tiles of TIFFs from stating sizes that are not the picture's."""

import struct

from core.errors import BadInputError
from vision.read import jpeg2000, png, webp

_JPEG, _LERC, _PNG = 7, 34887, 34933
_WEBP, _JPEG_2000 = {34927, 50001}, {33004, 33005, 34712}
_FRAMES = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}  # SOF; see ITU T.81, table B.1

# Encoders round up to whole blocks, and some write the rows of a whole strip into the last one.
_SPARE = 1 << 16


def check_segment(compression: int, segment: bytes, pixels: int) -> None:
    """Refuse a strip or tile that is a picture of its own, larger than its place of `pixels`.

    Raises:
        BadInputError: what it states, or that it states nothing.
    """
    width, height = _stated_size(compression, segment)
    if width * height > 2 * pixels + _SPARE:
        raise BadInputError("decode_failed", f"a strip or tile states {width}x{height} pixels")


def _stated_size(compression: int, segment: bytes) -> tuple[int, int]:
    if compression == _JPEG:
        return _jpeg_size(segment)
    if compression == _LERC:
        return _lerc_size(segment)
    if compression == _PNG:
        header = png.inspect(segment)
    elif compression in _WEBP:
        header = webp.inspect(segment)
    elif compression in _JPEG_2000:
        header = jpeg2000.inspect(segment)
    else:
        return 0, 0  # unpacked into as many bytes as there is place for
    return header.width, header.height


def _jpeg_size(segment: bytes) -> tuple[int, int]:
    at = 2
    while at + 9 <= len(segment):
        marker, kind, length = struct.unpack_from(">BBH", segment, at)
        if marker == 0xFF and kind in _FRAMES:
            height, width = struct.unpack_from(">HH", segment, at + 5)
            return width, height
        at += 1 if marker != 0xFF or kind == 0xFF else 2 + length
    raise BadInputError("decode_failed", "a strip or tile is no JPEG")


def _lerc_size(segment: bytes) -> tuple[int, int]:
    """See https://github.com/Esri/lerc, Lerc2.h: name, version, from version 3 a checksum, size."""
    if segment[:6] != b"Lerc2 ":
        raise BadInputError("decode_failed", "a strip or tile is no LERC")
    (version,) = struct.unpack_from("<i", segment, 6)
    height, width = struct.unpack_from("<ii", segment, 10 if version < 3 else 14)
    return width, height
