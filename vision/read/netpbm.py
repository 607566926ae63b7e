"""Reads PBM, PGM and PPM, binary and plain.

See https://netpbm.sourceforge.net/doc/ppm.html and its neighbours.
"""

import re
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from core import formats
from core.errors import BadInputError
from vision.read.decoded import Decoded, Header

# Before a number stand spaces and comments; before the pixels one space.
_NUMBER = rb"(?:\s|#[^\n\r]*[\n\r])+(\d{1,9})"
_BITS = re.compile(rb"P([14])" + 2 * _NUMBER + rb"\s")
_SAMPLES = re.compile(rb"P([2356])" + 3 * _NUMBER + rb"\s")
_COMMENT = re.compile(rb"#[^\n\r]*")
_NUMBERS = re.compile(rb"[\d\s]*")
_DIGITS = re.compile(rb"[01\s]*")
_SPACES = b" \t\n\r\v\f"
_PLAIN = {1, 2, 3}
_COLOUR = {3, 6}
_MOST, _BYTE = 65535, 255
_PACKED = 4  # eight pixels in a byte
_PLAIN_COPIES = 3  # two of the text, and two bytes for each sample, which is two of it
_PIECE = 1 << 16  # bytes of text
_SPACE = re.compile(rb"\s")
_SHORT = 64  # bytes; longer ones have room for a header


@dataclass(frozen=True, slots=True)
class NetpbmHeader(Header):
    """`number` is the one behind the P, `white` the largest sample, `at` where pixels begin.

    `stored` is how many bytes there are from there on.
    """

    number: int
    white: int
    at: int
    stored: int

    @property
    def decode_bytes(self) -> int:
        """See `Header`; numbers in words are copied, and may be more than the picture needs."""
        pixels = 3 * self.picture_bytes  # samples of 16 bits, of 8, and their colours in order
        return pixels + (_PLAIN_COPIES * self.stored if self.number in _PLAIN else 0)


def inspect(data: bytes) -> NetpbmHeader:
    """See `vision.read.decoded.Reader`."""
    start = data[:4096]
    found = _BITS.match(start) or _SAMPLES.match(start)
    if found is None:
        if len(data) < _SHORT and _NUMBERS.fullmatch(data, 2):
            raise BadInputError("truncated", "the PNM ends within its header")
        raise BadInputError("decode_failed", "the PNM's header is nonsense")
    number, width, height, white = (*map(int, found.groups()), 1)[:4]
    if not (width and height and 0 < white <= _MOST):
        raise BadInputError("decode_failed", "the PNM's header is nonsense")
    at = found.end()
    return NetpbmHeader(formats.PNM, width, height, number, white, at, len(data) - at)


def decode(data: bytes, header: NetpbmHeader, *, is_lenient: bool) -> Decoded:
    """See `vision.read.decoded.Reader`."""
    shape = (header.height, header.width, 3 if header.number in _COLOUR else 1)
    count = header.height * header.width * shape[2]
    if header.number == _PACKED:
        samples = _packed_bits(data, header)
    elif header.number in _PLAIN:
        samples = _plain(data, header, count)
    else:
        kind = np.dtype(">u2" if header.white > _BYTE else np.uint8)
        available = min(count, (len(data) - header.at) // kind.itemsize)
        samples = np.frombuffer(data, kind, available, header.at)
    warnings: tuple[str, ...] = ()
    if samples.size < count:
        warnings = (f"the PNM is cut short: {samples.size} of {count} samples",)
        if not is_lenient or not samples.size:
            raise BadInputError("truncated", warnings[0])
        samples = np.concatenate([samples, np.zeros(count - samples.size, samples.dtype)])
    pixels = _eight_bits(samples, header.white).reshape(shape)
    if header.number in {1, _PACKED}:
        pixels = 255 - pixels  # one is black
    code = cv2.COLOR_RGB2BGR if header.number in _COLOUR else cv2.COLOR_GRAY2BGR
    return Decoded(np.asarray(cv2.cvtColor(pixels, code), dtype=np.uint8), warnings=warnings)


def _packed_bits(data: bytes, header: NetpbmHeader) -> NDArray[np.uint8]:
    row = (header.width + 7) // 8
    rows = min(header.height, (len(data) - header.at) // row)
    packed = np.frombuffer(data, np.uint8, rows * row, header.at).reshape(rows, row)
    return np.unpackbits(packed, axis=1, count=header.width).reshape(-1)


def _plain(data: bytes, header: NetpbmHeader, count: int) -> NDArray[np.unsignedinteger]:
    text = _COMMENT.sub(b"", data[header.at :])
    if not (_DIGITS if header.number == 1 else _NUMBERS).fullmatch(text):
        raise BadInputError("decode_failed", "the PNM holds something that is no number")
    if header.number == 1:  # its digits need no space between them
        return np.frombuffer(text.translate(None, _SPACES)[:count], np.uint8) - ord("0")
    samples = np.empty(min(count, (len(text) + 1) // 2), np.uint16)
    filled = at = 0
    while filled < len(samples) and at < len(text):
        space = _SPACE.search(text, at + _PIECE)
        end = space.start() if space else len(text)
        piece = text[at:end].strip()
        at = end
        if piece:
            found = np.fromstring(piece.decode(), np.int64, sep=" ")[: len(samples) - filled]
            samples[filled : filled + len(found)] = np.minimum(found, header.white)
            filled += len(found)
    return samples[:filled]


def _eight_bits(samples: NDArray[np.unsignedinteger], white: int) -> NDArray[np.uint8]:
    """Return samples of 0 to `white` as 0 to 255."""
    if white == _BYTE:
        return samples.astype(np.uint8, copy=False)
    if white == _MOST:
        return (samples >> 8).astype(np.uint8)
    values = (np.arange(_MOST + 1) * 255 // white).clip(max=255).astype(np.uint8)
    return np.asarray(values[samples], dtype=np.uint8)
