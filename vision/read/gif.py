"""Reads GIF: the first frame, on its canvas. Pillow decodes it.

See https://www.w3.org/Graphics/GIF/spec-gif89a.txt, 18 (the canvas) and 23 (transparency).
"""

import io
import struct
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from core import formats
from core.errors import BadInputError
from vision.read.decoded import Decoded, Header

_HAS_PALETTE = 0x80
_PALETTE_AT = 13


@dataclass(frozen=True, slots=True)
class GifHeader(Header):
    """`frame` is the first one, not decoded yet; it may lie beyond the canvas."""

    frame: Image.Image
    canvas_wh: tuple[int, int]


def inspect(data: bytes) -> GifHeader:
    """See `vision.read.decoded.Reader`; the size is that of the canvas and the frame together."""
    try:
        canvas_wh = struct.unpack_from("<HH", data, 6)
        frame = Image.open(io.BytesIO(data), formats=("GIF",))
    except struct.error as error:
        raise BadInputError("truncated", "the GIF ends within its header") from error
    except Exception as error:  # whatever it raises on hostile bytes
        reason = "decode_failed" if data.endswith(b";") else "truncated"
        raise BadInputError(reason, f"the GIF has no frame: {error}") from error
    return GifHeader(formats.GIF, frame.width, frame.height, frame, canvas_wh)


def decode(data: bytes, header: GifHeader, *, is_lenient: bool) -> Decoded:  # noqa: ARG001
    """See `vision.read.decoded.Reader`; damaged ones are always refused.

    What the frame leaves free of the canvas, and where it is transparent, has the background's
    colour.
    """
    frame = header.frame
    left, top, right, bottom = frame.tile[0].extents if frame.tile else (0, 0, 0, 0)
    try:
        frame.load()
    except Exception as error:
        reason = "truncated" if "truncated" in str(error) else "decode_failed"
        raise BadInputError(reason, f"the GIF is cut short or damaged: {error}") from error
    indices = np.asarray(frame)
    palette = _palette(frame)
    is_drawn = np.zeros(indices.shape, np.bool_)
    is_drawn[top:bottom, left:right] = True
    transparent = frame.info.get("transparency")
    if transparent is not None:
        is_drawn &= indices != transparent
    pixels = palette[indices]
    pixels[~is_drawn] = _background(data)
    width, height = header.canvas_wh
    return Decoded(np.ascontiguousarray(pixels[: height or None, : width or None]))


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
