"""Which TIFFs are read, and how: by what their directories say of compression and colours."""

from typing import Any

from core.errors import BadInputError
from vision.read.tiff.samples import Colours

PLANES = 2
"""The planar configuration of samples that lie in planes of their own."""

LZW, OLD_JPEG, JPEG = 5, 6, 7
_BY_STRIPS = {
    *(1, 2, 3, 4, LZW, JPEG, 8, 32771, 32773, 32946),  # none, CCITT, LZW, JPEG, PackBits, Deflate
    *(34925, 34926, 50000),  # LZMA, Zstandard
    *(33004, 33005, 34712),  # JPEG 2000
    *(34887, 34927, 34933, 50001),  # LERC, WebP, PNG
}
_LIBTIFF_ONLY = {OLD_JPEG, 32766, 32809, 34676, 34677}  # and NeXT, ThunderScan, LogLuv
_CCITT = {2, 3, 4}
_PICTURES = {JPEG, 33004, 33005, 34712, 34927, 34933, 50001}  # each strip or tile is one
_NAMES = {
    34661: "JBIG",
    34715: "JBIG2",
    34934: "JPEG XR",
    22610: "JPEG XR",
    33003: "JPEG 2000 (YCbCr)",
    50002: "JPEG XL",
    52546: "JPEG XL",
    34892: "lossy DNG",
}

_PHOTOMETRIC, _INK_SET, _CMYK_INKS = 262, 332, 1
_WHITE_IS_ZERO, _BLACK_IS_ZERO, _RGB, _PALETTE, _MASK, _SEPARATED, _YCBCR = range(7)
_CIELAB, _ICCLAB = 8, 9
_LAB_BITS = {8, 16}
_COLOURS = {
    _WHITE_IS_ZERO: Colours.WHITE_IS_ZERO,
    _BLACK_IS_ZERO: Colours.GREY,
    _RGB: Colours.RGB,
    _PALETTE: Colours.PALETTE,
    _MASK: Colours.GREY,
    _SEPARATED: Colours.CMYK,
    _YCBCR: Colours.RGB,  # as the decoders of JPEG and WebP give it
    _CIELAB: Colours.CIELAB,
    _ICCLAB: Colours.ICCLAB,
}
_COLOURS_OF_LIBTIFF = {10, 32844, 32845}  # CIELAB of fax machines, LogL, LogLuv
_RGB_SAMPLES = 3
_KINDS = "buif"  # booleans, integers, floats


def check_variant(page: Any) -> None:
    """Refuse the variants that are not read by their names.

    Raises:
        BadInputError: `not_supported`, or `decode_failed` for a directory that contradicts itself.
    """
    compression, photometric = int(page.compression), _photometric(page)
    if compression not in _BY_STRIPS | _LIBTIFF_ONLY:
        name = _NAMES.get(compression) or getattr(page.compression, "name", f"({compression})")
        raise _not_supported(f"{name} compression")
    if photometric not in _COLOURS.keys() | _COLOURS_OF_LIBTIFF:
        name = getattr(page.photometric, "name", f"({photometric})")
        raise _not_supported(f"{name} colours")
    if not is_left_to_libtiff(page):
        _check_samples(page, photometric)


def _check_samples(page: Any, photometric: int) -> None:
    if page.dtype is None or page.dtype.kind not in _KINDS:
        what = f"samples of {page.bitspersample} bits and format {int(page.sampleformat)}"
        raise _not_supported(what)
    needed = _COLOURS[photometric].samples
    if page.samplesperpixel < needed:
        what = f"the TIFF has {page.samplesperpixel} of {needed} samples"
        raise BadInputError("decode_failed", what)
    if photometric == _SEPARATED and page.tags.valueof(_INK_SET, _CMYK_INKS) != _CMYK_INKS:
        raise _not_supported("inks that are not CMYK")
    if photometric in {_CIELAB, _ICCLAB} and page.bitspersample not in _LAB_BITS:
        raise _not_supported(f"CIELAB of {page.bitspersample} bits")
    if photometric == _PALETTE and (page.colormap is None or page.dtype.kind not in "bu"):
        raise BadInputError("decode_failed", "the TIFF has no palette")


def _not_supported(what: str) -> BadInputError:
    return BadInputError("not_supported", f"this is a TIFF with {what}, which is not read")


def is_left_to_libtiff(page: Any) -> bool:
    """Return whether only libtiff unpacks it, or converts its colours."""
    photometric = _photometric(page)
    if page.compression in _LIBTIFF_ONLY or photometric in _COLOURS_OF_LIBTIFF:
        return True
    if page.compression in _PICTURES:  # their decoders think that CIELAB is RGB
        return photometric in {_CIELAB, _ICCLAB}
    return photometric == _YCBCR


def is_ycbcr(page: Any) -> bool:
    """Return whether the samples of its JPEGs are YCbCr."""
    return _photometric(page) == _YCBCR


def colours_of(page: Any) -> Colours:
    """Return what the samples mean, as strips give them, of a TIFF not left to libtiff."""
    colours = _COLOURS[_photometric(page)]
    if colours is Colours.RGB and page.compression == JPEG:
        return Colours.BGR  # as JPEGs are read
    return colours


def _photometric(page: Any) -> int:
    """Return the tag that says what samples mean; where it is missing, what its writers mean."""
    if _PHOTOMETRIC in page.tags:
        return int(page.photometric)
    if page.samplesperpixel >= _RGB_SAMPLES:
        return _RGB
    return _WHITE_IS_ZERO if page.compression in _CCITT else _BLACK_IS_ZERO
