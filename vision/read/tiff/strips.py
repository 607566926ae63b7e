"""Finds the strips and tiles of a TIFF, and unpacks them to one array of samples."""

import contextlib
import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from core.errors import BadInputError
from vision.read.tiff import jpegs
from vision.read.tiff.samples import Colours
from vision.read.tiff.stated import check_stated_size
from vision.read.tiff.variant import JPEG, LZW, PLANES, is_ycbcr

Samples = NDArray[np.generic]

# A strip or tile may take so many bytes for each pixel of the picture, or so many anyway: tiles of
# small pictures are larger than these.
_MOST_BYTES_PER_PIXEL, _ALLOWED_BYTES = 64, 1 << 26
_NOT_COMPRESSED = 1
_UPPER_BITS_FIRST = 1  # in a byte, as its fill order
_WHOLE_BYTES = {8, 16}  # in bits


def missing_strips(data: bytes, page: Any) -> tuple[str, ...]:
    """Return in words how many strips or tiles the file doesn't hold, if any.

    Raises:
        BadInputError: `not_supported`, they would take more memory than the picture; or
            `decode_failed`, there are none.
    """
    rows, columns, most_bytes = _shape(page)
    limit = max(_ALLOWED_BYTES, _MOST_BYTES_PER_PIXEL * page.imagewidth * page.imagelength)
    if rows < 1 or columns < 1 or most_bytes > limit:
        words = f"this is a TIFF with strips or tiles of {most_bytes} bytes"
        raise BadInputError("not_supported", words)
    planes = page.samplesperpixel if page.planarconfig == PLANES else 1
    expected = math.ceil(page.imagelength / rows) * math.ceil(page.imagewidth / columns) * planes
    found = list(zip(page.dataoffsets, page.databytecounts, strict=False))
    missing = max(0, expected - len(found))
    for offset, size in found:
        # The last strip of one that is not compressed may state the bytes of a whole one.
        needed = min(size, most_bytes) if page.compression == _NOT_COMPRESSED else size
        missing += offset + needed > len(data)
    if not any(size for _, size in found):
        raise BadInputError("decode_failed", "the TIFF holds no pixels")
    if not missing:
        return ()
    return (f"the TIFF is cut short: {missing} of its {expected} strips or tiles are missing",)


def _shape(page: Any) -> tuple[int, int, int]:
    """Return the rows, the columns and the bytes of a strip or tile."""
    rows = page.tilelength if page.is_tiled else min(page.rowsperstrip, page.imagelength)
    columns = page.tilewidth if page.is_tiled else page.imagewidth
    samples = 1 if page.planarconfig == PLANES else page.samplesperpixel
    sample_bytes = page.dtype.itemsize if page.dtype is not None else 2
    return rows, columns, rows * columns * max(page.tiledepth, 1) * samples * sample_bytes


def samples_of(
    data: bytes, page: Any, colours: Colours, *, is_lenient: bool
) -> tuple[Samples, tuple[str, ...]]:
    """Return the samples that count, (H, W, `colours.samples`), and in words what is damaged.

    Raises:
        BadInputError: `truncated` or `decode_failed`.
    """
    count = colours.samples
    if page.is_contiguous and page.fillorder == _UPPER_BITS_FIRST:
        return _contiguous(data, page)[..., :count], ()
    if page.compression == LZW and page.planarconfig != PLANES and colours is not Colours.CMYK:
        samples = _by_libtiff(data, page)
        if samples is not None:
            return samples[..., :count], ()
    samples = np.zeros((page.imagelength, page.imagewidth, count), page.dtype)
    words: list[str] = []
    damaged = 0
    last: Exception | None = None
    for index, (offset, size) in enumerate(
        zip(page.dataoffsets, page.databytecounts, strict=False)
    ):
        if offset == size == 0:
            continue  # of a sparse file, as GDAL writes it
        strip = data[offset : offset + size]
        try:
            words += _unpack(strip, index, page, colours, samples, is_lenient=is_lenient)
        except Exception as error:  # whatever the decoders raise on hostile bytes
            damaged += 1
            last = error
            if not is_lenient:
                break
    if last is not None:
        if not is_lenient or damaged == len(page.dataoffsets):
            reason = last.reason if isinstance(last, BadInputError) else "decode_failed"
            raise BadInputError(reason, f"the TIFF is damaged: {last}") from last
        words.append(f"{damaged} of the TIFF's strips or tiles are damaged")
    return samples, tuple(dict.fromkeys(words))


def _contiguous(data: bytes, page: Any) -> Samples:
    """Return the samples (H, W, all) of a picture that is neither compressed nor scattered."""
    planes = page.samplesperpixel if page.planarconfig == PLANES else 1
    shape = (planes, page.imagelength, page.imagewidth, page.samplesperpixel // planes)
    kind = np.dtype(page.parent.byteorder + page.dtype.char)
    at = min(page.dataoffsets[0], len(data))
    read = np.frombuffer(data, kind, min((len(data) - at) // kind.itemsize, math.prod(shape)), at)
    if read.size < math.prod(shape):
        read = np.concatenate([read, np.zeros(math.prod(shape) - read.size, kind)])
    return np.moveaxis(read.reshape(shape), 0, -2).reshape(*shape[1:3], -1)


def _by_libtiff(data: bytes, page: Any) -> Samples | None:
    """Return the samples (H, W, all) of what libtiff unpacks faster.

    None if it is damaged, or its samples are of a kind that imagecodecs doesn't take from libtiff.
    """
    import imagecodecs  # noqa: PLC0415 - takes a while, and few pictures need it

    sample_bytes = page.samplesperpixel * page.dtype.itemsize
    if page.bitspersample not in _WHOLE_BYTES or sample_bytes > _MOST_BYTES_PER_PIXEL:
        return None  # of so many samples, strips keep those that count
    with contextlib.suppress(imagecodecs.TiffError, ValueError):
        samples: Samples = imagecodecs.tiff_decode(data, index=0)
        return samples.reshape(page.imagelength, page.imagewidth, page.samplesperpixel)
    return None


def _unpack(
    strip: bytes, index: int, page: Any, colours: Colours, samples: Samples, *, is_lenient: bool
) -> tuple[str, ...]:
    """Unpack a strip or tile to its place; return in words what is odd about it."""
    _, (plane, depth, top, left, _), _ = page.decode(None, index)
    rows, columns, _ = _shape(page)
    target = samples[top : top + rows, left : left + columns]
    if depth or (page.planarconfig == PLANES and plane >= samples.shape[2]):
        return ()
    unpacked = None
    if page.compression == JPEG and page.jpegheader is None:
        strip = jpegs.whole_jpeg(strip, page.jpegtables, is_ycbcr=is_ycbcr(page))
        unpacked = jpegs.unpack(strip, rows * columns, is_lenient=is_lenient)
    if unpacked is None:
        check_stated_size(int(page.compression), strip, rows * columns)
        part = page.decode(strip, index, jpegheader=page.jpegheader)[0][0]
        if colours is Colours.BGR:
            part = part[..., 2::-1]
        words: tuple[str, ...] = ()
    else:
        part, words = unpacked.pixels, unpacked.warnings
    part = part[: target.shape[0], : target.shape[1]]
    if page.planarconfig == PLANES:
        target[..., plane] = part[..., 0]
    else:
        target[...] = part[..., : samples.shape[2]]
    return words
