"""Draws panoptic segments over their picture, and stores them as COCO's PNG.

COCO's panoptic format holds segment numbers as colours: red + 256 green + 65536 blue.
"""

import io
from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from core.wording import percent
from predictions.answer import Segment
from vision.draw.caption import stack_lines
from vision.draw.drawer import read_pixels
from vision.draw.look import USUAL, Look
from vision.outputs.panoptic import places_of
from vision.palette import colour_of

_NEXT = 7  # palette steps between two things of a class: neighbouring colours are alike
_EDGE = (255, 255, 255)
_EDGE_WIDTH = 0.7  # of a box's line: edges lie on both sides
_COMPRESSION = 1  # large areas of one value: more effort saves little


def draw_panoptic(
    image_bgr: NDArray[np.uint8],
    ids: NDArray[np.int32],
    segments: Sequence[Segment],
    alpha: float,
    look: Look = USUAL,
) -> NDArray[np.uint8]:
    """Return a copy of an upright uint8 (H, W, 3) image with its segments' colours over it.

    `ids` [H,W] are the segments' numbers. Stuff has its class's colour, each thing one of its own,
    with white lines between them. `alpha` is the colours' opacity, 0 to 1; pixels of no segment
    stay clear. The legend in the upper left corner lists the classes, largest first, with their
    shares and their number of things, as far as there is room.
    """
    colours = np.array([(0, 0, 0), *(colour_of(_shade(one)) for one in segments)], np.uint8)
    places = places_of(ids, [one.id for one in segments])
    blended = cv2.addWeighted(image_bgr, 1 - alpha, colours[places], alpha, 0)
    canvas = image_bgr.copy()
    cv2.copyTo(blended, (places > 0).astype(np.uint8), canvas)
    strokes = look.strokes(ids.shape[1], ids.shape[0])
    canvas[_edges(places, strokes.line_px)] = _EDGE
    if look.labels:
        stack_lines(canvas, legend_of(segments, ids.size, look), strokes)
    return canvas


def legend_of(found: Sequence[Segment], pixels: int, look: Look = USUAL) -> list[tuple[int, str]]:
    """Return colours (as class ids) and texts, the largest class first."""
    by_class: dict[int, list[Segment]] = {}
    for segment in found:
        by_class.setdefault(segment.class_id, []).append(segment)
    lines = []
    for segments in by_class.values():
        things = sum(segment.is_thing for segment in segments)
        area = sum(segment.area for segment in segments)
        count = f" x{things}" if things > 1 else ""
        share = area / pixels
        text = look.label(f"{segments[0].label}{count}", percent(share))
        lines.append((share, _shade(segments[0]), text))
    lines.sort(key=lambda line: -line[0])
    return [(shade, text) for _, shade, text in lines]


def _shade(segment: Segment) -> int:
    return segment.class_id + _NEXT * max(0, segment.id % 1000 - 1)


def _edges(places: NDArray[np.uint16], line_px: int) -> NDArray[np.bool_]:
    """Return the pixels [H,W] where two segments meet."""
    edges = np.zeros(places.shape, np.uint8)
    edges[:, 1:] |= places[:, 1:] != places[:, :-1]
    edges[1:] |= places[1:] != places[:-1]
    line = max(1, round(_EDGE_WIDTH * line_px))
    if line > 1:
        edges = np.asarray(cv2.dilate(edges, np.ones((line, line), np.uint8)), np.uint8)
    return edges.view(np.bool_)


def encode_panoptic(ids: NDArray[np.int32]) -> bytes:
    """Return a map [H,W] of numbers from 0 to 2**24 - 1 as COCO's PNG; 0 is black.

    The same bytes every time.
    """
    colours = ids.astype("<i4", order="C").view(np.uint8).reshape(*ids.shape, 4)[..., :3]
    buffer = io.BytesIO()
    Image.fromarray(colours).save(buffer, "PNG", compress_level=_COMPRESSION)
    return buffer.getvalue()


def decode_panoptic(png: bytes) -> NDArray[np.int32]:
    """Return the numbers [H,W] that `encode_panoptic` wrote.

    Raises:
        BadInputError: `decode_failed`.
    """
    colours = read_pixels(png, "RGB").astype(np.int32)
    return np.asarray(colours @ np.array([1, 256, 65536], np.int32))
