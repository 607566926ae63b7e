"""The one table of image formats: what listing lets in, what is read, and what has only a name."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Format:
    """An image format: its name in messages and docs, and the suffixes of its files.

    Files of a format that is not read are refused by its name.
    """

    name: str
    suffixes: tuple[str, ...]
    is_read: bool = True


JPEG = Format("JPEG", (".jpg", ".jpeg", ".jpe", ".jfif"))
PNG = Format("PNG", (".png",))
WEBP = Format("WebP", (".webp",))
BMP = Format("BMP", (".bmp", ".dib"))
GIF = Format("GIF", (".gif",))
TIFF = Format("TIFF", (".tif", ".tiff"))
BIG_TIFF = Format("BigTIFF", (".tif", ".tiff", ".btf"))
PNM = Format("PNM", (".ppm", ".pgm", ".pbm", ".pnm"))
JPEG_2000 = Format("JPEG 2000", (".jp2", ".j2k", ".jpf", ".jpx"))
AVIF = Format("AVIF", (".avif",))
HEIC = Format("HEIC", (".heic", ".heif", ".hif"))

RAW = Format(
    "camera raw",
    (
        *(".3fr", ".arw", ".cr2", ".cr3", ".crw", ".dcr", ".dng", ".erf", ".iiq", ".kdc", ".mef"),
        *(".mos", ".mrw", ".nef", ".nrw", ".orf", ".pef", ".raf", ".raw", ".rw2", ".rwl", ".sr2"),
        *(".srf", ".srw", ".x3f"),
    ),
    is_read=False,
)
JPEG_XL = Format("JPEG XL", (".jxl",), is_read=False)
JPEG_XR = Format("JPEG XR", (".jxr", ".wdp", ".hdp"), is_read=False)
PHOTOSHOP = Format("PSD", (".psd", ".psb"), is_read=False)
GIMP = Format("XCF", (".xcf",), is_read=False)
SVG = Format("SVG", (".svg", ".svgz"), is_read=False)
POSTSCRIPT = Format("PostScript", (".ps", ".eps"), is_read=False)
PDF = Format("PDF", (".pdf",), is_read=False)
OPEN_EXR = Format("OpenEXR", (".exr",), is_read=False)
RADIANCE = Format("Radiance HDR", (".hdr",), is_read=False)
DICOM = Format("DICOM", (".dcm", ".dicom"), is_read=False)
ICO = Format("ICO", (".ico", ".cur"), is_read=False)
DDS = Format("DDS", (".dds",), is_read=False)
DJVU = Format("DjVu", (".djvu", ".djv"), is_read=False)
FITS = Format("FITS", (".fits", ".fit"), is_read=False)
QOI = Format("QOI", (".qoi",), is_read=False)
PFM = Format("PFM", (".pfm",), is_read=False)
TARGA = Format("Targa", (".tga",), is_read=False)
PCX = Format("PCX", (".pcx",), is_read=False)
SGI = Format("SGI", (".sgi", ".rgb", ".rgba", ".bw"), is_read=False)
ICNS = Format("ICNS", (".icns",), is_read=False)

FORMATS = (
    *(JPEG, PNG, WEBP, BMP, GIF, TIFF, BIG_TIFF, PNM, JPEG_2000, AVIF, HEIC),
    *(RAW, JPEG_XL, JPEG_XR, PHOTOSHOP, GIMP, SVG, POSTSCRIPT, PDF, OPEN_EXR, RADIANCE, DICOM),
    *(ICO, DDS, DJVU, FITS, QOI, PFM, TARGA, PCX, SGI, ICNS),
)
"""All formats that have a name here."""

READ = tuple(one for one in FORMATS if one.is_read)
"""The formats that are read, in the order in which docs list them."""

IMAGE_SUFFIXES = frozenset(suffix for one in READ for suffix in one.suffixes)
"""The suffixes, in lower case, by which a listing knows the images that can be read."""

_UNREAD = {suffix: one for one in FORMATS if not one.is_read for suffix in one.suffixes}


def suffix_of(key: str) -> str:
    """Return the suffix of a key's last part in lower case, with its dot; empty if it has none."""
    name = key.rpartition("/")[2].lower()
    return name[name.rfind(".") :] if "." in name else ""


def unread_format(key: str) -> Format | None:
    """Return the format that is not read of a file with this name, None for any other name."""
    return _UNREAD.get(suffix_of(key))
