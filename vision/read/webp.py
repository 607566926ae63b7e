"""Reads WebP: the container here, the pixels with OpenCV's decoder (libwebp).

See https://developers.google.com/speed/webp/docs/riff_container and RFC 6386, 9.1.
"""

import struct
from collections.abc import Iterator
from dataclasses import dataclass

from core import formats
from core.errors import BadInputError
from vision.read.decoded import Decoded, Header
from vision.read.exif import orientation_of
from vision.read.opencv import decode_or_none

_FIRST_CHUNK = 12


@dataclass(frozen=True, slots=True)
class WebpHeader(Header):
    """What a WebP says of its picture."""

    @property
    def decode_bytes(self) -> int:
        """See `Header`; measured with alpha, which OpenCV decodes before it drops it."""
        return 9 * self.width * self.height


def inspect(data: bytes) -> WebpHeader:
    """See `vision.read.decoded.Reader`."""
    if len(data) < 8 + int.from_bytes(data[4:8], "little"):
        raise BadInputError("truncated", "the WebP is shorter than it says")
    _, kind, body = next(_chunks(data), (0, b"", b""))
    try:
        width, height = _size(kind, body)
    except struct.error as error:
        raise BadInputError("truncated", "the WebP ends within its header") from error
    return WebpHeader(formats.WEBP, width, height)


def decode(data: bytes, header: WebpHeader, *, is_lenient: bool) -> Decoded:  # noqa: ARG001
    """See `vision.read.decoded.Reader`; damaged ones are always refused."""
    pixels = decode_or_none(data)
    if pixels is None:
        raise BadInputError("decode_failed", "the WebP is damaged")
    exif = next((body for _, kind, body in _chunks(data) if kind == b"EXIF"), b"")
    # Some writers put the prefix that EXIF has in a JPEG before it.
    return Decoded(pixels, orientation_of(bytes(exif).removeprefix(b"Exif\0\0")))


def _chunks(data: bytes) -> Iterator[tuple[int, bytes, bytes]]:
    """Yield where each chunk begins, its kind and its body."""
    at = _FIRST_CHUNK
    while at + 8 <= len(data):
        kind, length = struct.unpack_from("<4sI", data, at)
        yield at, kind, data[at + 8 : at + 8 + length]
        at += 8 + length + length % 2


def _size(kind: bytes, body: bytes) -> tuple[int, int]:
    if kind == b"VP8X":
        flags_low, width_low, width_high, height_low, height_high = struct.unpack_from(
            "<IHBHB", body
        )
        del flags_low
        return 1 + width_low + (width_high << 16), 1 + height_low + (height_high << 16)
    if kind == b"VP8L":
        (bits,) = struct.unpack_from("<xI", body)
        return 1 + (bits & 0x3FFF), 1 + (bits >> 14 & 0x3FFF)
    if kind == b"VP8 ":
        width, height = struct.unpack_from("<6xHH", body)
        return width & 0x3FFF, height & 0x3FFF
    raise BadInputError("decode_failed", "the WebP does not begin with a picture")
