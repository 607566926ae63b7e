"""Draws segments over their picture, and stores their label maps."""

import io
from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from core.wording import percent
from predictions.answer import ClassScore
from vision.draw.caption import stack_lines
from vision.draw.drawer import read_pixels
from vision.draw.look import USUAL, Look
from vision.palette import colour_of
from vision.regions import class_counts

MOST_CLASSES = 256
_COMPRESSION = 1  # large areas of one value: more effort saves little

_PALETTE = bytes(
    channel for class_id in range(MOST_CLASSES) for channel in reversed(colour_of(class_id))
)


def encode_mask(labels: NDArray[np.uint8]) -> bytes:
    """Return a label map [H,W] as a palette PNG of class numbers; the same bytes every time.

    Viewers show it in the colours that the classes have in pictures.
    """
    image = Image.fromarray(labels)
    image.putpalette(_PALETTE)
    buffer = io.BytesIO()
    image.save(buffer, "PNG", compress_level=_COMPRESSION)
    return buffer.getvalue()


def decode_mask(png: bytes) -> NDArray[np.uint8]:
    """Return the label map [H,W] that `encode_mask` wrote.

    Raises:
        BadInputError: `decode_failed`.
    """
    return read_pixels(png, "P")


_COLOURS = np.array([colour_of(class_id) for class_id in range(MOST_CLASSES)], np.uint8)


def is_background(label: str) -> bool:
    """Return whether a class is background by its name."""
    return label.strip("_").lower() == "background"


def draw_segments(
    image_bgr: NDArray[np.uint8],
    labels: NDArray[np.uint8],
    classes: Sequence[ClassScore],
    alpha: float,
    background: int | None,
    look: Look = USUAL,
) -> NDArray[np.uint8]:
    """Return a copy of an upright uint8 (H, W, 3) image with its label map's [H,W] colours over it.

    `alpha` is the colours' opacity, 0 to 1; only `classes` are drawn, without `background`. The
    legend in the upper left corner lists them with their shares of the map, as far as there is
    room.
    """
    blended = cv2.addWeighted(image_bgr, 1 - alpha, _COLOURS[labels], alpha, 0)
    canvas = np.asarray(blended, np.uint8)
    counts = class_counts(labels)
    shown = [one for one in classes if one.class_id != background]
    clear = np.ones(MOST_CLASSES, np.uint8)
    clear[[one.class_id for one in shown]] = 0
    if counts[clear > 0].any():
        cv2.copyTo(image_bgr, cv2.LUT(labels, clear), canvas)
    if look.labels:
        # From the counts: rows hold 32-bit shares, which may round to a different percentage.
        shares = counts / labels.size
        lines = [
            (one.class_id, look.label(one.label, percent(shares[one.class_id]))) for one in shown
        ]
        stack_lines(canvas, lines, look.strokes(canvas.shape[1], canvas.shape[0]))
    return canvas
