"""Panoptic segments drawn over their picture."""

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from vision.detections import label_of
from vision.draw.caption import percent, stack_lines
from vision.draw.detections import Strokes
from vision.palette import colour_of
from vision.read.panoptic import PanopticMap, Segment

_NEXT = 7  # colours between those of two things of a class: neighbours in the palette are alike
_EDGE = (255, 255, 255)


def draw_panoptic(
    image_bgr: NDArray[np.uint8], found: PanopticMap, labels: Sequence[str], alpha: float
) -> NDArray[np.uint8]:
    """A copy of an upright uint8 (H, W, 3) image under the colours of its segments.

    Stuff has the colour of its class, each thing one of its own; white lines part them. `alpha` is
    how much of a colour covers the picture, 0 to 1; what is no segment is not covered. The legend
    in the upper left corner has the classes, largest first, with their shares, and how many things
    of a class there are, as far as there is room.
    """
    colours = np.array([(0, 0, 0), *(colour_of(_shade(one)) for one in found.segments)], np.uint8)
    places = found.places
    blended = cv2.addWeighted(image_bgr, 1 - alpha, colours[places], alpha, 0)
    canvas = image_bgr.copy()
    cv2.copyTo(blended, (places > 0).astype(np.uint8), canvas)
    canvas[_edges(places)] = _EDGE
    stack_lines(canvas, legend_of(found, labels))
    return canvas


def legend_of(found: PanopticMap, labels: Sequence[str]) -> list[tuple[int, str]]:
    """Colours (as of classes) and texts, the class with the most pixels first."""
    by_class: dict[int, list[Segment]] = {}
    for segment in found.segments:
        by_class.setdefault(segment.category_id, []).append(segment)
    lines = []
    for class_id, segments in by_class.items():
        things = sum(segment.isthing for segment in segments)
        area = sum(segment.area for segment in segments)
        count = f" x{things}" if things > 1 else ""
        share = area / found.places.size
        lines.append(
            (share, _shade(segments[0]), f"{label_of(labels, class_id)}{count} {percent(share)}")
        )
    lines.sort(key=lambda line: -line[0])
    return [(shade, text) for _, shade, text in lines]


def _shade(segment: Segment) -> int:
    return segment.category_id + _NEXT * max(0, segment.id % 1000 - 1)


def _edges(places: NDArray[np.uint16]) -> NDArray[np.bool_]:
    """Which pixels [H,W] lie where two segments meet."""
    edges = np.zeros(places.shape, np.uint8)
    edges[:, 1:] |= places[:, 1:] != places[:, :-1]
    edges[1:] |= places[1:] != places[:-1]
    line = Strokes.for_image(places.shape[1], places.shape[0]).line_px
    if line > 1:
        edges = np.asarray(cv2.dilate(edges, np.ones((line, line), np.uint8)), np.uint8)
    return edges.view(np.bool_)
