"""Decodes images, or says why they can't be decoded.

Pixels come from cv2, as the official tools feed them to their models. Pillow reads the header
before anything is allocated, and judges files that may be cut short.
"""

import io

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from core.errors import BadInputError

# Pillow would warn or refuse by a limit of its own, which is process-wide. `decode_image` checks
# its caller's limit before anything is loaded.
Image.MAX_IMAGE_PIXELS = None

# The formats that cv2 reads and turns upright. The list also keeps Pillow's other readers away from
# hostile bytes (one of them starts Ghostscript).
_FORMATS = ("JPEG", "PNG", "WEBP", "BMP", "TIFF", "GIF", "PPM", "JPEG2000")

_MAGIC = (b"\xff\xd8\xff", b"\x89PNG", b"RIFF", b"BM", b"II*\0", b"MM\0*", b"GIF8", b"\0\0\0\x0cjP")
_JPEG_END = b"\xff\xd9"


def decode_image(data: bytes, *, max_pixels: int) -> NDArray[np.uint8]:
    """Return the first frame of an encoded image, upright: uint8 (H, W, 3), blue first.

    EXIF orientation is applied, 16 bits become the upper 8, grey and palettes become colour, and
    alpha is dropped, as `cv2.imdecode` with `IMREAD_COLOR` does. Safe to call from many threads.

    Raises:
        BadInputError: `empty`, `not_an_image` (not in a supported format), `too_large` (more than
            `max_pixels` by its header; nothing was allocated), `truncated` (the file is cut short)
            or `decode_failed` (damaged, or a variant that cannot be read).
    """
    if not data:
        raise BadInputError("empty", "the file holds no bytes")
    header = _read_header(data)
    width, height = header.size
    if width * height > max_pixels:
        raise BadInputError(
            "too_large",
            f"{width}x{height} is {width * height} pixels, the limit is {max_pixels}",
        )
    # A decoder may silently fill the missing part of a cut JPEG with grey. A whole one ends with
    # its end marker; phones append things, so otherwise it takes a closer look.
    if header.format in {"JPEG", "MPO"} and not data.endswith(_JPEG_END):
        _load(header)
    image = _decode(data)
    if image is None:
        _load(header)
        raise BadInputError(
            "decode_failed", f"this {header.format} ({header.mode}, {width}x{height}) is unreadable"
        )
    return image


def _read_header(data: bytes) -> Image.Image:
    try:
        return Image.open(io.BytesIO(data), formats=_FORMATS)
    except Exception as error:
        if _is_cut_webp(data):
            raise BadInputError("truncated", "the WebP is shorter than it says") from error
        if data.startswith(_MAGIC):
            raise BadInputError("decode_failed", "the image's header is unreadable") from error
        raise BadInputError("not_an_image", "this is not an image, by its content") from error


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
