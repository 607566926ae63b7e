"""Reads GIF: the first frame, on its canvas. Pillow decodes it.

See https://www.w3.org/Graphics/GIF/spec-gif89a.txt, 18 (the canvas) and 23 (transparency).
"""

import io
import struct
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError

from core import formats
from core.errors import BadInputError
from vision.read.decoded import Decoded, Header

# Pillow would warn or refuse by a limit of its own, which is process-wide. `read_picture` checks
# its caller's limit before anything is loaded.
Image.MAX_IMAGE_PIXELS = None

_HAS_PALETTE = 0x80
_PALETTE_AT = 13
_EXTENSION, _FRAME = b"!", b","


@dataclass(frozen=True, slots=True)
class GifHeader(Header):
    """The size is what the canvas and the first frame take together; the frame may lie beyond."""

    canvas_wh: tuple[int, int]
    frame_xyxy: tuple[int, int, int, int]

    @property
    def decode_bytes(self) -> int:
        """See `Header`; a byte each is Pillow's picture, its copy, and what the frame draws."""
        return 8 * self.width * self.height


def inspect(data: bytes) -> GifHeader:
    """See `vision.read.decoded.Reader`."""
    try:
        width, height = struct.unpack_from("<HH", data, 6)
        left, top, frame_width, frame_height = _first_frame(data)
    except (struct.error, IndexError) as error:
        raise BadInputError("truncated", "the GIF ends before its first frame") from error
    right, bottom = left + frame_width, top + frame_height
    canvas_wh = width or right, height or bottom
    if not (frame_width and frame_height):
        raise BadInputError("decode_failed", "the GIF's first frame is empty")
    return GifHeader(
        formats.GIF,
        max(canvas_wh[0], right),
        max(canvas_wh[1], bottom),
        canvas_wh,
        (left, top, right, bottom),
    )


def _first_frame(data: bytes) -> tuple[int, int, int, int]:
    """Return left, top, width and height of the first frame.

    Raises:
        struct.error, IndexError: the file ends before it.
        BadInputError: `decode_failed`.
    """
    flags = data[10]
    at = _PALETTE_AT + (3 << (flags & 7) + 1 if flags & _HAS_PALETTE else 0)
    while data[at : at + 1] == _EXTENSION:
        at += 2
        while data[at]:
            at += 1 + data[at]
        at += 1
    if at >= len(data):
        raise IndexError
    if data[at : at + 1] != _FRAME:
        raise BadInputError("decode_failed", "the GIF has no frame")
    left, top, width, height = struct.unpack_from("<HHHH", data, at + 1)
    return left, top, width, height


def decode(data: bytes, header: GifHeader, *, is_lenient: bool) -> Decoded:  # noqa: ARG001
    """See `vision.read.decoded.Reader`; damaged ones are always refused.

    What the frame leaves free of the canvas, and where it is transparent, has the background's
    colour.
    """
    try:
        frame = Image.open(io.BytesIO(data), formats=("GIF",))
        frame.load()
    except Exception as error:  # whatever it raises on hostile bytes
        words = "its header is damaged" if isinstance(error, UnidentifiedImageError) else str(error)
        reason = "truncated" if "truncated" in words else "decode_failed"
        raise BadInputError(reason, f"the GIF is cut short or damaged: {words}") from error
    indices = np.asarray(frame)
    left, top, right, bottom = header.frame_xyxy
    is_drawn = np.zeros(indices.shape, np.bool_)
    is_drawn[top:bottom, left:right] = True
    transparent = frame.info.get("transparency")
    if transparent is not None:
        is_drawn &= indices != transparent
    pixels = _palette(frame)[indices]
    pixels[~is_drawn] = _background(data)
    width, height = header.canvas_wh
    return Decoded(np.ascontiguousarray(pixels[:height, :width]))


def _palette(frame: Image.Image) -> NDArray[np.uint8]:
    """Return the colours (256, 3), blue first."""
    colours = np.zeros((256, 3), np.uint8)
    found = frame.getpalette("RGB")
    if found is None:  # Pillow's way to say that it is all greys
        colours[:] = np.arange(256, dtype=np.uint8)[:, None]
    else:
        rgb = np.array(found, np.uint8).reshape(-1, 3)
        colours[: len(rgb)] = rgb[:, ::-1]
    return colours


def _background(data: bytes) -> NDArray[np.uint8]:
    """Return the background's colour, blue first: black where the file names none."""
    flags, index = data[10:12]
    at = _PALETTE_AT + 3 * index
    if not flags & _HAS_PALETTE or index >= 2 << (flags & 7) or at + 3 > len(data):
        return np.zeros(3, np.uint8)
    return np.frombuffer(data, np.uint8, 3, at)[::-1]
