"""Tells an image's format by its content."""

import re
import struct

from core import formats
from core.errors import BadInputError
from core.formats import Format

_JPEG_2000_BOX = rb"\0\0\0\x0cjP  \r\n\x87\n"
_JPEG_XL_BOX = rb"\0\0\0\x0cJXL \r\n\x87\n"
_OLYMPUS = rb"II(?:RO|RS)|MMOR"
_PANASONIC = rb"IIU\0"
_CANON_CRW = rb"II\x1a\0\0\0HEAPCCDR"
_FUJIFILM = rb"FUJIFILMCCD-RAW"
_MINOLTA = rb"\0MRM"
_SIGMA = rb"FOVb"
_MARKUP = rb"(?:\xef\xbb\xbf)?\s*(?:<[?!].{,4096}?)?<svg"

# What files begin with.
_BEGINNINGS: tuple[tuple[bytes, Format], ...] = (
    (rb"\xff\xd8\xff", formats.JPEG),
    (rb"\x89PNG\r\n\x1a\n", formats.PNG),
    (rb"RIFF.{4}WEBP", formats.WEBP),
    # A second header of a size that some version of BMP has.
    (rb"BM(?:.{12}[\x0c-\xff]\0{3}|.{,15}\Z)", formats.BMP),
    (rb"GIF8[79]a", formats.GIF),
    (rb"II\x2b\0|MM\0\x2b", formats.BIG_TIFF),
    (rb"P[1-6][\s#]", formats.PNM),
    (_JPEG_2000_BOX + rb"|\xff\x4f\xff\x51", formats.JPEG_2000),
    (
        b"|".join((_OLYMPUS, _PANASONIC, _CANON_CRW, _FUJIFILM, _MINOLTA, _SIGMA)),
        formats.RAW,
    ),
    (_JPEG_XL_BOX + rb"|\xff\x0a", formats.JPEG_XL),
    (rb"II\xbc\x01", formats.JPEG_XR),
    (rb"8BPS", formats.PHOTOSHOP),
    (rb"gimp xcf ", formats.GIMP),
    (_MARKUP, formats.SVG),
    (rb"%!PS|\xc5\xd0\xd3\xc6", formats.POSTSCRIPT),
    (rb"%PDF-", formats.PDF),
    (rb"\x76\x2f\x31\x01", formats.OPEN_EXR),
    (rb"#\?R(?:ADIANC|GB)E", formats.RADIANCE),
    (rb".{128}DICM", formats.DICOM),
    (rb"\0\0[\x01\x02]\0(?!\0\0)", formats.ICO),  # how many there are; a Targa has zeros here
    (rb"DDS ", formats.DDS),
    (rb"AT&TFORM", formats.DJVU),
    (rb"SIMPLE  =", formats.FITS),
    (rb"qoif", formats.QOI),
    (rb"P[Ff]\s", formats.PFM),
    (rb"\x0a[\0-\x05]\x01[\x01\x02\x04\x08]", formats.PCX),
    (rb"\x01\xda[\0\x01][\x01\x02]\0[\x01-\x03]", formats.SGI),
    (rb"icns", formats.ICNS),
)
_TARGA_END = b"TRUEVISION-XFILE.\0"
_PATTERNS = [(re.compile(pattern, re.DOTALL), found) for pattern, found in _BEGINNINGS]

# The brands of ISO media files; see ISO/IEC 14496-12, 4.3, and https://mp4ra.org/registered-types.
_AVIF_BRANDS = {b"avif", b"avis"}
_HEIC_BRANDS = {b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"hevm", b"hevs"}
_IMAGE_BRANDS = {b"mif1", b"mif2", b"msf1", b"miaf"}
_RAW_BRANDS = {b"crx "}  # Canon's CR3

_NEW_SUBFILE_TYPE, _SUB_IFDS, _DNG_VERSION = 254, 330, 50706
_SHORT = 3
_TAGS = 512  # enough for the first directory of any camera


def identify(data: bytes) -> Format:
    """Return the format of a file with this content.

    Raises:
        BadInputError: `not_an_image`, it begins like none of the formats in `core.formats`.
    """
    found = _identified(data)
    if found is None:
        raise BadInputError("not_an_image", "this is not an image, by its content")
    return found


def _identified(data: bytes) -> Format | None:
    if data[:4] in {b"II*\0", b"MM\0*"}:
        return formats.RAW if _is_raw(data) else formats.TIFF
    if data[4:8] == b"ftyp":
        return _of_brands(data)
    if data.endswith(_TARGA_END):
        return formats.TARGA
    return next((found for pattern, found in _PATTERNS if pattern.match(data)), None)


def _of_brands(data: bytes) -> Format | None:
    """Return the format of an ISO media file, by its brands: the major one, then the others."""
    length = int.from_bytes(data[:4], "big")
    box = data[8 : min(max(length, 16), 1024)]
    brands = [box[:4], *(box[at : at + 4] for at in range(8, len(box) - 3, 4))]
    if brands[0] in _RAW_BRANDS:
        return formats.RAW
    if brands[0] not in _AVIF_BRANDS | _HEIC_BRANDS | _IMAGE_BRANDS:
        return None  # a video, with whatever it is compatible
    if _AVIF_BRANDS.intersection(brands):
        return formats.AVIF
    return formats.HEIC


def _is_raw(data: bytes) -> bool:
    """Return whether a TIFF is a camera's: its first picture is a preview, or DNG says so.

    See the DNG specification 1.6, "DNGVersion" and "NewSubFileType". NEF, ARW, PEF and SRW are
    built alike: a reduced picture first, and the raw one in a directory below it.
    """
    if data[8:10] == b"CR":  # Canon's CR2
        return True
    order = "<" if data[:2] == b"II" else ">"
    try:
        (at,) = struct.unpack_from(order + "I", data, 4)
        (count,) = struct.unpack_from(order + "H", data, at)
        tags = {}
        for number in range(min(count, _TAGS)):
            tag, kind, _, value = struct.unpack_from(order + "HHII", data, at + 2 + 12 * number)
            tags[tag] = value >> 16 if kind == _SHORT and order == ">" else value
    except struct.error:
        return False  # cut short; the reader will say so
    is_preview = tags.get(_NEW_SUBFILE_TYPE, 0) & 1
    return _DNG_VERSION in tags or bool(is_preview and _SUB_IFDS in tags)
