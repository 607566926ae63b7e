"""Reads TIFF and BigTIFF.

tifffile reads the directory, and imagecodecs unpacks strips and tiles one by one, each checked
against the file and the picture before anything is allocated for it. Old compressions, and colour
spaces that only libtiff converts, are left to it as a whole. See the TIFF 6.0 specification, and
for what came after it https://www.loc.gov/preservation/digital/formats/content/tiff_tags.shtml.
"""

import io
import logging
import struct
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from core.errors import BadInputError
from vision.read.decoded import Decoded, Header
from vision.read.identify import identify
from vision.read.tiff.samples import to_bgr
from vision.read.tiff.strips import missing_strips, samples_of
from vision.read.tiff.variant import check_variant, colours_of, is_left_to_libtiff

# What it logs names tags, not files; what matters of it is in the errors here.
logging.getLogger("tifffile").setLevel(logging.CRITICAL)

_ORIENTATION, _GDAL_NODATA = 274, 42113
_ORIENTATIONS = range(1, 9)

_BIG = {b"\x2b\0", b"\0\x2b"}
_MOST_TAGS = 4096  # tifffile's own limit
_MOST_VALUES = 1 << 20  # a number, which becomes an object, takes ten times what it does in a file
_TYPE_BYTES = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8, 16: 8}
# From the width to the bytes of strips; colours, palette, tiles, formats, tables of JPEG.
_PIXEL_TAGS = {*range(256, 280), *(284, 317, 320, 322, 323, 324, 325, 338, 339, 347)}


@dataclass(frozen=True, slots=True)
class TiffHeader(Header):
    """`page` is the first directory, tifffile's `TiffPage`."""

    page: Any

    @property
    def decode_bytes(self) -> int:
        """See `Header`; samples of any size are unpacked, and those that count are copied."""
        sample_bytes = 2 if self.page.dtype is None else int(self.page.dtype.itemsize)
        samples = self.width * self.height * sample_bytes * int(self.page.samplesperpixel)
        return 2 * (self.picture_bytes + samples)


def inspect(data: bytes) -> TiffHeader:
    """See `vision.read.decoded.Reader`."""
    import tifffile  # noqa: PLC0415 - takes half a second, and most pictures are no TIFFs

    if _is_cut(data):
        raise BadInputError("truncated", "the TIFF ends before its directory does")
    try:
        page: Any = tifffile.TiffFile(io.BytesIO(data)).pages.first
        header = TiffHeader(identify(data), int(page.imagewidth), int(page.imagelength), page)
        check_variant(page)
    except BadInputError:
        raise
    except Exception as error:  # whatever it raises on hostile bytes
        words = f"the TIFF's directory is damaged: {error}"
        raise BadInputError("decode_failed", words) from error
    if header.width < 1 or header.height < 1:
        raise BadInputError("decode_failed", "the TIFF's directory holds no picture")
    return header


def _is_cut(data: bytes) -> bool:
    """Return whether the first directory, or what it says of pixels, is beyond the file's end.

    Raises:
        BadInputError: `not_supported`, a tag has more numbers than any picture needs.
    """
    order = "<" if data[:2] == b"II" else ">"
    is_big = data[2:4] in _BIG
    inline = 8 if is_big else 4
    entry = struct.Struct(order + ("HHQQ" if is_big else "HHII"))
    try:
        (at,) = struct.unpack_from(order + ("Q" if is_big else "I"), data, inline)
        (count,) = struct.unpack_from(order + ("Q" if is_big else "H"), data, at)
        at += 8 if is_big else 2
        for number in range(min(count, _MOST_TAGS)):
            tag, kind, values, offset = entry.unpack_from(data, at + number * entry.size)
            size = values * _TYPE_BYTES.get(kind, 0)
            if values > _MOST_VALUES and size > values:
                words = f"this is a TIFF with a tag ({tag}) of {values:,} numbers"
                raise BadInputError("not_supported", words)
            if tag in _PIXEL_TAGS and size > inline and offset + size > len(data):
                return True
    except (struct.error, OverflowError):
        return True
    return False


def decode(data: bytes, header: TiffHeader, *, is_lenient: bool) -> Decoded:
    """See `vision.read.decoded.Reader`."""
    try:
        return _decode(data, header.page, is_lenient=is_lenient)
    except BadInputError:
        raise
    except Exception as error:  # whatever the decoders raise on hostile bytes
        raise BadInputError("decode_failed", f"the TIFF is damaged: {error}") from error


def _decode(data: bytes, page: Any, *, is_lenient: bool) -> Decoded:
    orientation = page.tags.valueof(_ORIENTATION, 1)
    if orientation not in _ORIENTATIONS:
        orientation = 1
    missing = missing_strips(data, page)
    if missing and not is_lenient:
        raise BadInputError("truncated", missing[0])
    if is_left_to_libtiff(page):
        return Decoded(_by_libtiff(data, page), orientation, missing)
    colours = colours_of(page)
    samples, damage = samples_of(data, page, colours, is_lenient=is_lenient)
    bits = page.bitspersample if isinstance(page.bitspersample, int) else 8 * samples.itemsize
    pixels = to_bgr(samples, colours, bits, palette=page.colormap, nodata=_nodata(page))
    return Decoded(pixels, orientation, missing + damage)


def _by_libtiff(data: bytes, page: Any) -> NDArray[np.uint8]:
    import imagecodecs  # noqa: PLC0415 - see `inspect`

    tag = page.tags.get(_ORIENTATION)
    if tag is not None:  # libtiff would turn some of them, and others in part
        upright = struct.pack("<H" if data[:2] == b"II" else ">H", 1)
        data = data[: tag.valueoffset] + upright + data[tag.valueoffset + 2 :]
    rgba = imagecodecs.tiff_decode(data, index=0, asrgb=True)
    return np.asarray(cv2.cvtColor(rgba, cv2.COLOR_RGBA2BGR), dtype=np.uint8)


def _nodata(page: Any) -> float | None:
    """Return GDAL's tag for the value that stands for none."""
    try:
        return float(page.tags.valueof(_GDAL_NODATA))
    except (TypeError, ValueError):
        return None
