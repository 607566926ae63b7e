"""Reads BMP, with headers of every version.

OpenCV's decoder gets each with a header of the commonest version, so that the others' peculiarities
are none. Samples in places of their own choice (bit masks) are taken apart here. See
https://learn.microsoft.com/windows/win32/gdi/bitmap-header-types and
https://www.fileformat.info/format/os2bmp/egff.htm.
"""

import struct
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from core import formats
from core.errors import BadInputError
from vision.read.decoded import Decoded, Header
from vision.read.opencv import decode_or_none

_FILE_HEADER, _CORE_HEADER, _INFO_HEADER, _OS2_HEADER = 14, 12, 40, 64
_MOST_PALETTE_BITS = 8
_KINDS: dict[int, np.dtype[Any]] = {16: np.dtype("<u2"), 32: np.dtype("<u4")}
_HEADERS = {_CORE_HEADER, 16, _INFO_HEADER, 52, 56, _OS2_HEADER, 108, 124}
_PLAIN, _RLE8, _RLE4, _MASKS, _MASKS_WITH_ALPHA = 0, 1, 2, 3, 6
_NAMES = {4: "JPEG", 5: "PNG", 11: "CMYK", 12: "CMYK", 13: "CMYK"}
_OS2_NAMES = {_MASKS: "Huffman", 4: "RLE24"}
_DEPTHS = {
    _PLAIN: {1, 4, 8, 16, 24, 32},
    _RLE8: {8},
    _RLE4: {4},
    _MASKS: {16, 32},
    _MASKS_WITH_ALPHA: {16, 32},
}


@dataclass(frozen=True, slots=True)
class BmpHeader(Header):
    """`pixels_at` and `palette_at` are offsets, `masks` those of blue, green and red.

    `colours` is how many the palette has; what stands behind them is none.
    """

    bits: int
    compression: int
    is_top_down: bool
    pixels_at: int
    palette_at: int
    palette_entry: int
    colours: int
    masks: tuple[int, int, int] | None

    @property
    def row_bytes(self) -> int:
        """How many bytes a row takes that is not compressed."""
        return (self.width * self.bits + 31) // 32 * 4

    @property
    def decode_bytes(self) -> int:
        """See `vision.read.decoded.Header`; with a plain header, the file is there twice."""
        return 2 * self.picture_bytes + self.row_bytes * self.height


def inspect(data: bytes) -> BmpHeader:
    """See `vision.read.decoded.Reader`."""
    try:
        return _header(data)
    except struct.error as error:
        raise BadInputError("truncated", "the BMP ends within its header") from error


def _header(data: bytes) -> BmpHeader:
    (pixels_at, size) = struct.unpack_from("<10xII", data)
    if size not in _HEADERS and not _CORE_HEADER <= size <= _OS2_HEADER:
        raise BadInputError("not_supported", f"this is a BMP with a header of {size} bytes")
    compression = colours = 0
    if size == _CORE_HEADER:
        width, height, _, bits = struct.unpack_from("<HHHH", data, 18)
    else:
        width, height, _, bits = struct.unpack_from("<iiHH", data, 18)
    if size >= _INFO_HEADER:
        (compression,) = struct.unpack_from("<I", data, 30)
        (colours,) = struct.unpack_from("<I", data, 46)
    _check_variant(size, bits, compression)
    if width < 1 or height == 0:
        raise BadInputError("decode_failed", f"the BMP states {width}x{height} pixels")
    palette_at = _FILE_HEADER + size
    entry = 3 if size == _CORE_HEADER else 4
    colours = min(colours or 1 << bits, 1 << bits)
    masks = None
    if compression in {_MASKS, _MASKS_WITH_ALPHA}:
        red, green, blue = struct.unpack_from("<III", data, _FILE_HEADER + _INFO_HEADER)
        most = (1 << bits) - 1
        masks = (blue & most, green & most, red & most)
        if size == _INFO_HEADER:
            palette_at += 12 if compression == _MASKS else 16
    if (
        pixels_at <= palette_at and bits <= _MOST_PALETTE_BITS
    ):  # some writers forget that there is a palette
        pixels_at = palette_at + entry * colours
    return BmpHeader(
        formats.BMP,
        width,
        abs(height),
        bits,
        compression,
        height < 0,
        pixels_at,
        palette_at,
        entry,
        colours,
        masks,
    )


def _check_variant(size: int, bits: int, compression: int) -> None:
    if size == _OS2_HEADER and compression in _OS2_NAMES:
        name = _OS2_NAMES[compression]
        raise BadInputError("not_supported", f"this is a BMP with OS/2's {name} compression")
    if compression not in _DEPTHS:
        name = _NAMES.get(compression, f"unknown ({compression})")
        raise BadInputError("not_supported", f"this is a BMP with {name} compression")
    if bits not in _DEPTHS[compression]:
        raise BadInputError("not_supported", f"this is a BMP with {bits} bits a pixel")


def decode(data: bytes, header: BmpHeader, *, is_lenient: bool) -> Decoded:
    """See `vision.read.decoded.Reader`."""
    stored = memoryview(data)[header.pixels_at :]
    warnings: tuple[str, ...] = ()
    if header.compression not in {_RLE8, _RLE4}:
        expected = header.row_bytes * header.height
        padding = header.row_bytes - (header.width * header.bits + 7) // 8
        if len(stored) < expected - padding:  # the last row's may be missing
            warnings = (f"the BMP is cut short: {len(stored)} of {expected} bytes of pixels",)
            if not is_lenient or not stored:
                raise BadInputError("truncated", warnings[0])
        if len(stored) < expected:
            stored = memoryview(bytes(stored) + bytes(expected - len(stored)))
        stored = stored[:expected]
    if header.masks is not None:
        return Decoded(_from_masks(stored, header), warnings=warnings)
    pixels = decode_or_none(_common(data, stored, header))
    if pixels is None:
        if _states_more(data):
            raise BadInputError("truncated", "the BMP is shorter than it says")
        raise BadInputError("decode_failed", "the BMP is damaged")
    return Decoded(pixels, warnings=warnings)


def _states_more(data: bytes) -> bool:
    return len(data) < int.from_bytes(data[2:6], "little")


def _common(data: bytes, stored: memoryview, header: BmpHeader) -> bytes:
    """Return the same picture with a header of 40 bytes."""
    palette = b""
    if header.bits <= _MOST_PALETTE_BITS:
        end = min(header.palette_at + header.palette_entry * header.colours, header.pixels_at)
        entries = np.frombuffer(data[header.palette_at : end], np.uint8)
        entries = entries[: len(entries) // header.palette_entry * header.palette_entry]
        quads = np.zeros((1 << header.bits, 4), np.uint8)
        found = entries.reshape(-1, header.palette_entry)[:, :3]
        quads[: len(found), :3] = found
        palette = quads.tobytes()
    at = _FILE_HEADER + _INFO_HEADER + len(palette)
    height = -header.height if header.is_top_down else header.height
    return b"".join(
        (
            struct.pack("<2sIHHI", b"BM", at + len(stored), 0, 0, at),
            struct.pack("<IiiHH", _INFO_HEADER, header.width, height, 1, header.bits),
            struct.pack("<IIiiII", header.compression, len(stored), 0, 0, len(palette) // 4, 0),
            palette,
            stored,
        )
    )


def _from_masks(stored: memoryview, header: BmpHeader) -> NDArray[np.uint8]:
    """Return the pixels of samples that masks tell; fewer bits than 8 are the upper ones."""
    assert header.masks is not None
    kind = _KINDS[header.bits]
    rows = np.frombuffer(stored, kind).reshape(header.height, header.row_bytes // kind.itemsize)
    rows = rows[:: 1 if header.is_top_down else -1, : header.width]
    pixels = np.zeros((*rows.shape, 3), np.uint8)
    for channel, mask in enumerate(header.masks):
        if not mask:
            continue
        shift = mask.bit_length() - 8
        samples = rows & np.array(mask, kind)
        pixels[..., channel] = samples >> shift if shift > 0 else samples << -shift
    return pixels
