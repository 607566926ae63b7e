"""Reads JPEG 2000: the sizes here, the pixels with OpenJPEG, by OpenCV or else by imagecodecs.

See ISO/IEC 15444-1, annex A.5.1 for the codestream's SIZ and annex I for the file format.
"""

import struct
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from core import formats
from core.errors import BadInputError
from vision.read.decoded import Decoded, Header
from vision.read.opencv import decode_or_none

_CODESTREAM = b"\xff\x4f\xff\x51"
_CODESTREAM_BOX = b"jp2c"
_END = b"\xff\xd9"
_BIT_DEPTH = 0x7F
_SIGNED = 0x80
_MOST_COMPONENTS = 4  # colour and alpha
_MOST_BITS, _BYTE = 16, 8
_COLOURS = 3


@dataclass(frozen=True, slots=True)
class Jpeg2000Header(Header):
    """`bits` are those of a sample, `components` those of a pixel."""

    components: int
    bits: int

    @property
    def decode_bytes(self) -> int:
        """See `Header`; measured: OpenJPEG's samples have 32 bits, and there is more than one."""
        return max(2 * self.picture_bytes, 6 * self.components * self.width * self.height)


def inspect(data: bytes) -> Jpeg2000Header:
    """See `vision.read.decoded.Reader`."""
    try:
        at = _codestream_at(data)
        if data[at : at + len(_CODESTREAM)] != _CODESTREAM:
            raise BadInputError("decode_failed", "the JPEG 2000 has no codestream where it says")
        right, bottom, left, top = struct.unpack_from(">4I", data, at + 8)
        (components,) = struct.unpack_from(">H", data, at + 40)
        depths = [struct.unpack_from(">B", data, at + 42 + 3 * one)[0] for one in range(components)]
    except struct.error as error:
        raise BadInputError("truncated", "the JPEG 2000 ends within its header") from error
    width, height = right - left, bottom - top
    if width < 1 or height < 1 or not components:
        raise BadInputError("decode_failed", "the JPEG 2000's header is nonsense")
    bits = max((depth & _BIT_DEPTH) + 1 for depth in depths)
    if components > _MOST_COMPONENTS or bits > _MOST_BITS:
        what = f"{components} components of {bits} bits"
        raise BadInputError("not_supported", f"this is a JPEG 2000 with {what}")
    if any(depth & _SIGNED for depth in depths):
        raise BadInputError("not_supported", "this is a JPEG 2000 with signed samples")
    return Jpeg2000Header(formats.JPEG_2000, width, height, components, bits)


def _codestream_at(data: bytes) -> int:
    """Return where the codestream begins that decoders take: other boxes may look like one.

    Raises:
        struct.error: the file ends before it.
        BadInputError: `decode_failed`.
    """
    at = 0
    while not data.startswith(_CODESTREAM):
        length, kind = struct.unpack_from(">I4s", data, at)
        head = 8
        if length == 1:
            (length,) = struct.unpack_from(">Q", data, at + head)
            head = 16
        if kind == _CODESTREAM_BOX:
            return at + head
        if length < head:  # 0: up to the end
            raise BadInputError("decode_failed", "the JPEG 2000 has no codestream")
        at += length
    return at


def decode(data: bytes, header: Jpeg2000Header, *, is_lenient: bool) -> Decoded:  # noqa: ARG001
    """See `vision.read.decoded.Reader`; damaged ones are always refused."""
    pixels = decode_or_none(data)
    if pixels is not None:
        return Decoded(pixels)
    # Codestreams without a container, and some depths, OpenCV doesn't read.
    import imagecodecs  # noqa: PLC0415 - takes a while, and most pictures are no JPEG 2000

    try:
        samples = imagecodecs.jpeg2k_decode(data, planar=False, numthreads=1)
    except Exception as error:
        if "not supported" in str(error):
            raise BadInputError("not_supported", f"this is a JPEG 2000: {error}") from error
        reason = "decode_failed" if data.rstrip(b"\0").endswith(_END) else "truncated"
        raise BadInputError(reason, f"the JPEG 2000 is cut short or damaged: {error}") from error
    return Decoded(_to_bgr(samples, header.bits))


def _to_bgr(samples: NDArray[np.unsignedinteger], bits: int) -> NDArray[np.uint8]:
    """Return samples (H, W) or (H, W, 1 to 4): grey or colour, perhaps with alpha."""
    if bits > _BYTE:
        pixels = np.atleast_3d(samples >> (bits - _BYTE)).astype(np.uint8)
    else:
        spread = np.atleast_3d(samples).astype(np.uint16) * 255 // ((1 << bits) - 1)
        pixels = spread.astype(np.uint8)
    if pixels.shape[2] < _COLOURS:
        return np.asarray(cv2.cvtColor(pixels[..., :1].copy(), cv2.COLOR_GRAY2BGR), np.uint8)
    return np.ascontiguousarray(pixels[..., 2::-1])
