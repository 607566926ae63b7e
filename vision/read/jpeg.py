"""Reads JPEG."""

import io

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from core import formats
from core.errors import BadInputError
from vision.read.decoded import Decoded, Header

_END = b"\xff\xd9"


def inspect(data: bytes) -> Header:
    """See `vision.read.decoded.Reader`."""
    width, height = _read_header(data).size
    return Header(formats.JPEG, width, height)


def decode(data: bytes, header: Header, *, is_lenient: bool) -> Decoded:  # noqa: ARG001
    """See `vision.read.decoded.Reader`; the picture comes upright."""
    # A decoder may silently fill the missing part of a cut JPEG with grey. A whole one ends with
    # its end marker; phones append things, so otherwise it takes a closer look.
    if not data.endswith(_END):
        _load(_read_header(data))
    pixels = _decode(data)
    if pixels is None:
        _load(_read_header(data))
        raise BadInputError(
            "decode_failed", f"this JPEG ({header.width}x{header.height}) is unreadable"
        )
    return Decoded(pixels)


def _read_header(data: bytes) -> Image.Image:
    try:
        return Image.open(io.BytesIO(data), formats=("JPEG",))
    except Exception as error:
        raise BadInputError("decode_failed", "the image's header is unreadable") from error


def _decode(data: bytes) -> NDArray[np.uint8] | None:
    try:
        image = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)
    except cv2.error as error:
        raise BadInputError("decode_failed", f"unreadable: {error.err}") from error
    return None if image is None else np.asarray(image, dtype=np.uint8)


def _load(header: Image.Image) -> None:
    try:
        header.load()
    except Exception as error:
        cut = "truncated" in str(error).lower()
        reason = "truncated" if cut else "decode_failed"
        raise BadInputError(reason, f"unreadable JPEG: {error}") from error
