"""Turns the samples of TIFFs, whatever their type, into pixels."""

import enum
from collections.abc import Iterator

import cv2
import numpy as np
from numpy.typing import NDArray

Samples = NDArray[np.generic]
Pixels = NDArray[np.uint8]

_BLOCK = 1 << 20  # so many samples at once are floats of 8 bytes
_BYTE, _SHORT = 8, 16  # bits
_MOST = 255
_WIDE_BYTES = 24  # several bands of 16 bits at once
_INDEX_BYTES = 1 + 8  # a sample, and NumPy's index into a table
_HALF = 0.5


class Colours(enum.Enum):
    """What the samples of a pixel mean; its value is how many of them count."""

    GREY = "grey"
    WHITE_IS_ZERO = "grey, white is zero"
    PALETTE = "palette"
    RGB = "RGB"
    BGR = "RGB, but blue first"
    CMYK = "CMYK"
    CIELAB = "CIELAB"
    ICCLAB = "CIELAB as ICC profiles have it"

    @property
    def samples(self) -> int:
        """How many samples of a pixel count; what follows them is alpha, or more bands."""
        if self in {Colours.GREY, Colours.WHITE_IS_ZERO, Colours.PALETTE}:
            return 1
        return 4 if self is Colours.CMYK else 3


def convert_bytes(colours: Colours, bits: int) -> int:
    """Return the most bytes that `to_bgr` takes for each pixel beside its samples."""
    if colours in {Colours.CMYK, Colours.CIELAB, Colours.ICCLAB}:
        return _WIDE_BYTES
    if colours is Colours.PALETTE:
        return 2 + 3
    each = 1 if bits == _BYTE else _INDEX_BYTES if bits < _BYTE else 2
    return 3 + colours.samples * each


def to_bgr(
    samples: Samples,
    colours: Colours,
    bits: int,
    *,
    palette: NDArray[np.uint16] | None,
    nodata: float | None,
) -> Pixels:
    """Return samples (H, W, `colours.samples`) as uint8 (H, W, 3), blue first.

    `bits` is how many bits of an unsigned sample count, `palette` (3, 2**bits) red, green and blue
    of 16 bits, `nodata` the sample that stands for none where samples are scaled.
    """
    if colours is Colours.PALETTE:
        assert palette is not None
        return _from_palette(samples, palette)
    if colours in {Colours.CIELAB, Colours.ICCLAB}:
        return _from_lab(samples, is_signed=colours is Colours.CIELAB)
    pixels = _eight_bits(samples, bits, nodata)
    if colours is Colours.CMYK:
        return _from_cmyk(pixels)
    if colours is Colours.BGR:
        return pixels
    if colours is Colours.RGB:
        return np.asarray(cv2.cvtColor(pixels, cv2.COLOR_RGB2BGR), dtype=np.uint8)
    if colours is Colours.WHITE_IS_ZERO:
        pixels = 255 - pixels
    return np.asarray(cv2.cvtColor(pixels, cv2.COLOR_GRAY2BGR), dtype=np.uint8)


def _eight_bits(samples: Samples, bits: int, nodata: float | None) -> Pixels:
    """Return samples as uint8.

    Unsigned integers of up to 8 bits are spread to 0..255, those of 9 to 16 bits become their upper
    8. Floats that lie in 0..1 are multiplied by 255. All else (other floats, signed integers,
    integers of more than 16 bits) has no white of its own: the smallest value of the picture
    becomes 0 and the largest 255. Infinities, NaN and `nodata` become 0 and don't count for either.

    Signed integers of 8 bits are taken for unsigned ones, as all readers do: their writers mean it.
    """
    if samples.dtype == np.int8:
        samples = samples.view(np.uint8)
    if samples.dtype.kind == "b":
        return samples.astype(np.uint8) * np.uint8(255)
    if samples.dtype.kind == "u" and bits <= _BYTE:
        if bits == _BYTE:
            return np.ascontiguousarray(samples, dtype=np.uint8)
        spread = (np.arange(1 << bits) * 255 // ((1 << bits) - 1)).astype(np.uint8)
        return np.asarray(spread[samples.astype(np.intp, copy=False)], dtype=np.uint8)
    if samples.dtype.kind == "u" and bits <= _SHORT:
        upper = np.empty(samples.shape, np.uint8)
        shorts = samples.astype(np.uint16, copy=False)
        np.right_shift(shorts, bits - _BYTE, out=upper, casting="unsafe")
        return upper
    return _scaled(samples, nodata)


def _scaled(samples: Samples, nodata: float | None) -> Pixels:
    pixels = np.zeros(samples.shape, np.uint8)
    bounds = [
        (values[valid].min(), values[valid].max())
        for values, valid, _ in _blocks(samples, pixels, nodata)
        if valid.any()
    ]
    if not bounds:
        return pixels
    low, high = min(one for one, _ in bounds), max(one for _, one in bounds)
    if samples.dtype.kind == "f" and low >= 0 and high <= _HALF:  # see `_blocks`
        low, high = 0.0, _HALF
    span = high - low or 1.0
    for values, valid, target in _blocks(samples, pixels, nodata):
        np.rint((values - low) / span * 255, out=values, where=valid)
        target[valid] = values[valid]
    return pixels


def _blocks(
    samples: Samples, pixels: Pixels, nodata: float | None
) -> Iterator[tuple[NDArray[np.float64], NDArray[np.bool_], Pixels]]:
    """Yield the samples, which of them count, and their pixels, in blocks.

    They come halved, so that no difference of two overflows.
    """
    flat, flat_pixels = samples.reshape(-1), pixels.reshape(-1)
    for at in range(0, flat.size, _BLOCK):
        values = flat[at : at + _BLOCK].astype(np.float64)
        valid = np.isfinite(values)
        if nodata is not None:
            valid &= values != nodata
        yield values * _HALF, valid, flat_pixels[at : at + _BLOCK]


def _from_palette(samples: Samples, palette: NDArray[np.uint16]) -> Pixels:
    # Some writers fill in 8 bits of the 16, as libtiff has always understood.
    colours = palette if palette.max() <= _MOST else palette >> 8
    bgr = np.ascontiguousarray(colours[::-1].T, dtype=np.uint8)
    return bgr[np.minimum(samples[..., 0].astype(np.uint16), len(bgr) - 1)]


def _from_lab(samples: Samples, *, is_signed: bool) -> Pixels:
    """Return unsigned samples (H, W, 3) of 8 or 16 bits: L up to 100 at their most, a and b.

    See the TIFF 6.0 specification, section 23: a and b are signed whatever their format says. In
    ICC's variant (Adobe's technical notes for Photoshop) 128 is added to them.
    """
    shift = 8 * (samples.itemsize - 1)
    lab = (samples.astype(np.uint16) >> shift).astype(np.uint8)
    if is_signed:
        lab[..., 1:] ^= 128
    return np.asarray(cv2.cvtColor(lab, cv2.COLOR_Lab2BGR), dtype=np.uint8)


def _from_cmyk(inks: Pixels) -> Pixels:
    """Return what is left of white light under each ink, as libtiff computes it."""
    light = 255 - inks.astype(np.uint16)
    return (light[..., 2::-1] * light[..., 3:] // 255).astype(np.uint8)
