"""Reads TIFF and BigTIFF.

tifffile reads the directory, and imagecodecs unpacks strips and tiles one by one, each checked
against the file and the picture before anything is allocated for it. Old compressions and colour
spaces that only libtiff converts are left to it as a whole. See the TIFF 6.0 specification, and
for what came after it https://www.loc.gov/preservation/digital/formats/content/tiff_tags.shtml.
"""

import contextlib
import io
import logging
import math
import struct
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np
from numpy.typing import NDArray

from core.errors import BadInputError
from vision.read.decoded import Decoded, Header
from vision.read.identify import identify
from vision.read.tiff_samples import Colours, to_bgr
from vision.read.tiff_segments import check_segment

if TYPE_CHECKING:
    import tifffile

# What it logs names tags, not files; what matters of it is in the errors here.
logging.getLogger("tifffile").setLevel(logging.CRITICAL)

_LZW, _OLD_JPEG, _JPEG = 5, 6, 7
_BY_LIBTIFF = {_OLD_JPEG, 32766, 32809, 34676, 34677}  # and NeXT, ThunderScan, LogLuv
_BY_SEGMENTS = {
    *(1, 2, 3, 4, 5, _JPEG, 8, 32771, 32773, 32946),  # none, CCITT, LZW, JPEG, PackBits, Deflate
    *(34925, 34926, 50000),  # LZMA, Zstandard
    *(33004, 33005, 34712),  # JPEG 2000
    *(34887, 34927, 34933, 50001),  # LERC, WebP, PNG
}
_NAMES = {34934: "JPEG XR", 50002: "JPEG XL", 52546: "JPEG XL", 34661: "JBIG", 34715: "JBIG2"}

_WHITE_IS_ZERO, _BLACK_IS_ZERO, _RGB, _PALETTE, _MASK, _SEPARATED, _YCBCR = range(7)
_COLOURS = {
    _WHITE_IS_ZERO: Colours.WHITE_IS_ZERO,
    _BLACK_IS_ZERO: Colours.GREY,
    _RGB: Colours.RGB,
    _PALETTE: Colours.PALETTE,
    _MASK: Colours.GREY,
    _SEPARATED: Colours.CMYK,
    _YCBCR: Colours.RGB,  # as its JPEG decoder gives it
}
_COLOURS_BY_LIBTIFF = {8, 9, 10, 32844, 32845}  # CIELAB and its like, LogL, LogLuv
_PHOTOMETRIC, _ORIENTATION = 262, 274
_PLANES = 2
_INK_SET, _CMYK_INKS = 332, 1
_GDAL_NODATA = 42113

_MOST_TAGS = 4096  # tifffile's own limit
_TYPE_BYTES = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8, 16: 8}
# From the width to the bytes of strips, palette, tiles, samples' formats, tables of JPEG.
_PIXEL_TAGS = {*range(256, 280), *(284, 317, 320, 322, 323, 324, 325, 338, 339, 347)}

# A strip or tile may take so many bytes for each pixel of the picture, or so many anyway: tiles of
# small pictures are larger than these.
_MOST_BYTES_PER_PIXEL, _ALLOWED_BYTES = 64, 1 << 26


@dataclass(frozen=True, slots=True)
class TiffHeader(Header):
    """`page` is the first directory."""

    page: "tifffile.TiffPage"


def inspect(data: bytes) -> TiffHeader:
    """See `vision.read.decoded.Reader`."""
    import tifffile  # noqa: PLC0415 - takes half a second, and most pictures are no TIFFs

    try:
        page: Any = tifffile.TiffFile(io.BytesIO(data)).pages.first
        width, height = int(page.imagewidth), int(page.imagelength)
        if width > 0 and height > 0 and not _is_cut(data):
            _check_variant(page)
            return TiffHeader(identify(data), width, height, page)
    except BadInputError:
        raise
    except Exception as error:  # whatever it raises on hostile bytes
        if not _is_cut(data):
            message = f"the TIFF's directory is damaged: {error}"
            raise BadInputError("decode_failed", message) from error
    if _is_cut(data):
        raise BadInputError("truncated", "the TIFF ends before its directory does")
    raise BadInputError("decode_failed", "the TIFF's directory holds no picture")


def decode(data: bytes, header: TiffHeader, *, is_lenient: bool) -> Decoded:
    """See `vision.read.decoded.Reader`."""
    try:
        return _decode(data, header.page, is_lenient=is_lenient)
    except BadInputError:
        raise
    except Exception as error:  # whatever its decoders raise on hostile bytes
        raise BadInputError("decode_failed", f"the TIFF is damaged: {error}") from error


def _decode(data: bytes, page: Any, *, is_lenient: bool) -> Decoded:
    orientation = page.tags.valueof(_ORIENTATION, 1)
    if orientation not in range(1, 9):
        orientation = 1
    damage = _cut_segments(data, page)
    if damage and not is_lenient:
        raise BadInputError("truncated", damage[0])
    if _is_left_to_libtiff(page):
        return Decoded(_by_libtiff(data, page), orientation, damage)
    samples, more = _samples(data, page, is_lenient=is_lenient)
    colours = _COLOURS[_photometric(page)]
    bits = page.bitspersample if isinstance(page.bitspersample, int) else 8 * samples.itemsize
    pixels = to_bgr(samples, colours, bits, palette=page.colormap, nodata=_nodata(page))
    return Decoded(pixels, orientation, damage + more)


def _is_cut(data: bytes) -> bool:
    """Return whether the first directory, or what it says of pixels, is beyond the file's end."""
    order = "<" if data[:2] == b"II" else ">"
    is_big = data[2:4] in {b"\x2b\0", b"\0\x2b"}
    entry = struct.Struct(order + ("HHQQ" if is_big else "HHII"))
    try:
        (at,) = struct.unpack_from(order + ("Q" if is_big else "I"), data, 8 if is_big else 4)
        (count,) = struct.unpack_from(order + ("Q" if is_big else "H"), data, at)
        at += 8 if is_big else 2
        for number in range(min(count, _MOST_TAGS)):
            tag, kind, values, offset = entry.unpack_from(data, at + number * entry.size)
            size = values * _TYPE_BYTES.get(kind, 0)
            if tag in _PIXEL_TAGS and size > (8 if is_big else 4) and offset + size > len(data):
                return True
    except (struct.error, OverflowError):
        return True
    return False


def _photometric(page: Any) -> int:
    """Return the tag that says what samples mean; where it is missing, what its writers mean."""
    if _PHOTOMETRIC in page.tags:
        return int(page.photometric)
    if page.samplesperpixel >= 3:
        return _RGB
    return _WHITE_IS_ZERO if page.compression in {2, 3, 4} else _BLACK_IS_ZERO


def _check_variant(page: Any) -> None:
    """Refuse what is not read by its name, and what would take more memory than the picture.

    Raises:
        BadInputError: `not_supported` or `decode_failed`.
    """
    compression, photometric = int(page.compression), _photometric(page)
    if compression not in _BY_SEGMENTS | _BY_LIBTIFF:
        name = _NAMES.get(compression) or getattr(page.compression, "name", f"({compression})")
        raise BadInputError("not_supported", f"this is a TIFF with {name} compression")
    if photometric not in _COLOURS.keys() | _COLOURS_BY_LIBTIFF:
        name = getattr(page.photometric, "name", f"({photometric})")
        raise BadInputError("not_supported", f"this is a TIFF with {name} colours")
    if _is_left_to_libtiff(page):
        return
    if page.dtype is None or page.dtype.kind not in "buif":
        what = f"samples of {page.bitspersample} bits and format {int(page.sampleformat)}"
        raise BadInputError("not_supported", f"this is a TIFF with {what}")
    needed = _COLOURS[photometric].samples
    if page.samplesperpixel < needed:
        raise BadInputError(
            "decode_failed", f"the TIFF has {page.samplesperpixel} of {needed} samples"
        )
    if photometric == _SEPARATED and page.tags.valueof(_INK_SET, _CMYK_INKS) != _CMYK_INKS:
        raise BadInputError("not_supported", "this is a TIFF with inks that are not CMYK")
    if photometric == _PALETTE and (page.colormap is None or page.dtype.kind not in "bu"):
        raise BadInputError("decode_failed", "the TIFF has no palette")


def _is_left_to_libtiff(page: Any) -> bool:
    photometric = _photometric(page)
    if page.compression in _BY_LIBTIFF or photometric in _COLOURS_BY_LIBTIFF:
        return True
    return photometric == _YCBCR and page.compression in {1, 5, 8, 32773, 32946, 34925, 50000}


def _segment_shape(page: Any) -> tuple[int, int, int]:
    """Return the rows, the columns and the bytes of a strip or tile."""
    rows = page.tilelength if page.is_tiled else min(page.rowsperstrip, page.imagelength)
    columns = page.tilewidth if page.is_tiled else page.imagewidth
    samples = 1 if page.planarconfig == _PLANES else page.samplesperpixel
    sample_bytes = page.dtype.itemsize if page.dtype is not None else 2
    return rows, columns, rows * columns * max(page.tiledepth, 1) * samples * sample_bytes


def _cut_segments(data: bytes, page: Any) -> tuple[str, ...]:
    """Return what is missing of the strips or tiles, in words."""
    rows, columns, most_bytes = _segment_shape(page)
    limit = max(_ALLOWED_BYTES, _MOST_BYTES_PER_PIXEL * page.imagewidth * page.imagelength)
    if rows < 1 or columns < 1 or most_bytes > limit:
        raise BadInputError("not_supported", f"this is a TIFF with strips of {most_bytes} bytes")
    planes = page.samplesperpixel if page.planarconfig == _PLANES else 1
    expected = math.ceil(page.imagelength / rows) * math.ceil(page.imagewidth / columns) * planes
    segments = list(zip(page.dataoffsets, page.databytecounts, strict=False))
    missing = max(0, expected - len(segments))
    for offset, size in segments:
        # The last strip of one that is not compressed may state the bytes of a whole one.
        needed = min(size, most_bytes) if page.compression == 1 else size
        missing += offset + needed > len(data)
    if missing == 0:
        return ()
    if not any(size for _, size in segments):
        raise BadInputError("decode_failed", "the TIFF holds no pixels")
    return (f"the TIFF is cut short: {missing} of its {expected} strips or tiles are missing",)


def _by_libtiff(data: bytes, page: Any) -> NDArray[np.uint8]:
    import imagecodecs  # noqa: PLC0415 - see `inspect`

    tag = page.tags.get(_ORIENTATION)
    if tag is not None:  # libtiff would turn some of them, and others in part
        data = data[: tag.valueoffset] + bytes([1, 0] if data[:2] == b"II" else [0, 1]) + data[
            tag.valueoffset + 2 :
        ]
    rgba = imagecodecs.tiff_decode(data, index=0, asrgb=True)
    return np.asarray(cv2.cvtColor(rgba, cv2.COLOR_RGBA2BGR), dtype=np.uint8)


def _samples(
    data: bytes, page: Any, *, is_lenient: bool
) -> tuple[NDArray[np.generic], tuple[str, ...]]:
    """Return the samples that count, (H, W, samples), and in words what was damaged."""
    import imagecodecs  # noqa: PLC0415 - see `inspect`

    count = _COLOURS[_photometric(page)].samples
    if page.is_contiguous:
        return _contiguous(data, page)[..., :count], ()
    if page.compression == _LZW and page.planarconfig != _PLANES and page.bitspersample in {8, 16}:
        # libtiff unpacks it half as fast again as anything else.
        with contextlib.suppress(imagecodecs.TiffError):  # what is damaged is found below
            shape = (page.imagelength, page.imagewidth, page.samplesperpixel)
            return imagecodecs.tiff_decode(data, index=0).reshape(shape)[..., :count], ()
    samples = np.zeros((page.imagelength, page.imagewidth, count), page.dtype)
    damaged = []
    for index, (offset, size) in enumerate(
        zip(page.dataoffsets, page.databytecounts, strict=False)
    ):
        if offset == size == 0:
            continue  # of a sparse file, as GDAL writes it
        try:
            _unpack(data[offset : offset + size], index, page, samples)
        except Exception as error:  # whatever its decoders raise on hostile bytes
            if not is_lenient:
                raise BadInputError("decode_failed", f"the TIFF is damaged: {error}") from error
            damaged.append(index)
    if damaged:
        return samples, (f"the TIFF is damaged in {len(damaged)} of its strips or tiles",)
    return samples, ()


def _contiguous(data: bytes, page: Any) -> NDArray[np.generic]:
    """Return the samples (H, W, all) of a picture that is neither compressed nor scattered."""
    planes = page.samplesperpixel if page.planarconfig == _PLANES else 1
    shape = (planes, page.imagelength, page.imagewidth, page.samplesperpixel // planes)
    kind = np.dtype(page.parent.byteorder + page.dtype.char)
    at = min(page.dataoffsets[0], len(data))
    read = np.frombuffer(data, kind, min((len(data) - at) // kind.itemsize, math.prod(shape)), at)
    if read.size < math.prod(shape):
        read = np.concatenate([read, np.zeros(math.prod(shape) - read.size, kind)])
    return np.moveaxis(read.reshape(shape), 0, -2).reshape(*shape[1:3], -1)


def _unpack(segment: bytes, index: int, page: Any, samples: NDArray[np.generic]) -> None:
    """Unpack one strip or tile to where it belongs in the samples of the picture."""
    rows, columns, _ = _segment_shape(page)
    check_segment(int(page.compression), segment, rows * columns)
    decoded, (plane, depth, top, left, _), _ = page.decode(
        segment, index, jpegtables=page.jpegtables, jpegheader=page.jpegheader
    )
    if depth:
        return
    target = samples[top : top + rows, left : left + columns]
    part = decoded[0, : target.shape[0], : target.shape[1]]
    if page.planarconfig == _PLANES:
        if plane < samples.shape[2]:
            target[: part.shape[0], : part.shape[1], plane] = part[..., 0]
    else:
        target[: part.shape[0], : part.shape[1]] = part[..., : samples.shape[2]]


def _nodata(page: Any) -> float | None:
    """Return GDAL's tag for the value that stands for none."""
    text = page.tags.valueof(_GDAL_NODATA)
    try:
        return float(text)
    except (TypeError, ValueError):
        return None
