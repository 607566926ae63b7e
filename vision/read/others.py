"""Reads the formats that have no module of their own, as cv2 and Pillow do."""

import io

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from core.errors import BadInputError
from vision.read.decoded import Decoded, Header
from vision.read.identify import identify

# Pillow would warn or refuse by a limit of its own, which is process-wide. `read_picture` checks
# its caller's limit before anything is loaded.
Image.MAX_IMAGE_PIXELS = None

# The list keeps Pillow's other readers away from hostile bytes (one of them starts Ghostscript).
_FORMATS = ("PNG", "WEBP", "BMP", "TIFF", "GIF", "PPM", "JPEG2000", "AVIF")


def inspect(data: bytes) -> Header:
    """See `vision.read.decoded.Reader`."""
    header = _read_header(data)
    width, height = header.size
    return Header(identify(data), width, height)


def decode(data: bytes, header: Header, *, is_lenient: bool) -> Decoded:  # noqa: ARG001
    """See `vision.read.decoded.Reader`; the picture comes upright."""
    pixels = _decode(data)
    if pixels is None:
        _load(_read_header(data))
        raise BadInputError("decode_failed", f"this {header.format.name} is unreadable")
    return Decoded(pixels)


def _read_header(data: bytes) -> Image.Image:
    try:
        return Image.open(io.BytesIO(data), formats=_FORMATS)
    except Exception as error:
        if _is_cut_webp(data):
            raise BadInputError("truncated", "the WebP is shorter than it says") from error
        raise BadInputError("decode_failed", "the image's header is unreadable") from error


def _is_cut_webp(data: bytes) -> bool:
    """Return whether a RIFF container ends before the length that its first chunk states."""
    if data[:4] != b"RIFF" or data[8:12] != b"WEBP":
        return False
    return len(data) < 8 + int.from_bytes(data[4:8], "little")


def _decode(data: bytes) -> NDArray[np.uint8] | None:
    try:
        image = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)
    except cv2.error as error:
        raise BadInputError("decode_failed", f"unreadable: {error.err}") from error
    return None if image is None else np.asarray(image, dtype=np.uint8)


def _load(header: Image.Image) -> None:
    """Load the pixels with Pillow, which refuses incomplete files.

    Raises:
        BadInputError: `truncated` or `decode_failed`.
    """
    try:
        header.load()
    except Exception as error:  # whatever its readers raise on broken bytes
        cut = "truncated" in str(error).lower()
        reason = "truncated" if cut else "decode_failed"
        raise BadInputError(reason, f"unreadable {header.format}: {error}") from error
