"""Places labels beside their boxes, so that they cover neither each other nor other objects."""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from vision.draw.caption import Block
from vision.draw.look import Strokes
from vision.draw.strip import label_strip, strip_size
from vision.palette import colour_of

Rect = tuple[int, int, int, int]
"""x1, y1, x2, y2; the last two exclusive."""

_MOST_COVERED = 0.12  # of another object's box
_MOST_OF_ITSELF = 0.3  # of the labelled box
_FONT_IN_BOX = 0.2  # of the box's longer side: labels should be no larger than their objects
_LEGEND = 0.7  # of the usual font
_FEW = 8  # boxes, from which on labels become smaller
_SHRINK = 0.25  # the power of the number of boxes by which they do


@dataclass(frozen=True, slots=True)
class Label:
    """What is written beside a box; `name` is the class's alone."""

    class_id: int
    name: str
    text: str


def draw_labels(
    canvas: NDArray[np.uint8], rects: Sequence[Rect], labels: Sequence[Label], strokes: Strokes
) -> None:
    """Write the labels of boxes inside the canvas onto it in place; the first choose first.

    A label that finds no free place is tried in smaller sizes, and then left out: a pile of labels
    says less than the boxes alone, and hides what is under it. A legend in the emptiest corner
    names the classes of the boxes without a label, and how many boxes of each there are.
    """
    if not labels:
        return
    image_wh = (canvas.shape[1], canvas.shape[0])
    edges = np.array(rects, np.int64).T
    taken: list[Rect] = []
    unnamed: set[int] = set()
    crowd = strokes.font_px * min(1.0, (_FEW / len(labels)) ** _SHRINK)
    for number, label in enumerate(labels):
        x1, y1, x2, y2 = rects[number]
        fonts = strokes.fonts(min(crowd, _FONT_IN_BOX * max(x2 - x1, y2 - y1)))
        reach = _reach(rects[number], strip_size(label.text, fonts[0]), image_wh)
        near = [(rects[one], _MOST_COVERED) for one in _touching(edges, reach) if one != number]
        near.append((rects[number], _MOST_OF_ITSELF))
        written = [other for other in taken if _overlap(reach, other)]
        found = _free(rects[number], label.text, fonts, image_wh, near, written)
        if found is None:
            unnamed.add(label.class_id)
            continue
        (x1, y1, x2, y2), font_px = found
        strip = label_strip(label.text, font_px, colour_of(label.class_id))
        canvas[y1:y2, x1:x2] = strip[: y2 - y1, : x2 - x1]
        taken.append((x1, y1, x2, y2))
    if unnamed:
        _draw_legend(canvas, labels, unnamed, [*rects, *taken], strokes)


def _free(
    rect: Rect,
    text: str,
    fonts: Sequence[int],
    image_wh: tuple[int, int],
    near: Sequence[tuple[Rect, float]],
    written: Sequence[Rect],
) -> tuple[Rect, int] | None:
    """Return the first place and size in which a label covers no other, and of boxes too little.

    `near` are boxes and the shares of them that it may cover, `written` are labels.
    """
    for font_px in fonts:
        width, height = strip_size(text, font_px)
        size = min(width, image_wh[0]), min(height, image_wh[1])
        for place in _places(rect, size, image_wh):
            if any(_overlap(place, other) for other in written):
                continue
            if all(_overlap(place, box) <= most * _area(box) for box, most in near):
                return place, font_px
    return None


def _places(rect: Rect, size: tuple[int, int], image_wh: tuple[int, int]) -> Iterator[Rect]:
    """Yield where a label may go: on the box, inside it, below it; left, then right."""
    x1, y1, x2, y2 = rect
    width, height = size
    for wanted_y in (y1 - height, y1, y2, y2 - height):
        y = min(max(wanted_y, 0), image_wh[1] - height)
        for wanted_x in (x1, x2 - width):
            x = min(max(wanted_x, 0), image_wh[0] - width)
            yield x, y, x + width, y + height


def _reach(rect: Rect, size: tuple[int, int], image_wh: tuple[int, int]) -> Rect:
    """Return a rectangle in which all places of a label lie, in this size and smaller ones."""
    x1, y1, x2, y2 = rect
    width, height = size
    left, right = min(x1, x2 - width, image_wh[0] - width), max(x2, x1 + width, width)
    top, bottom = min(y1, image_wh[1]) - height, max(y2, 0) + height
    return left, top, right, bottom


def _touching(edges: NDArray[np.int64], reach: Rect) -> list[int]:
    """Return the boxes, given as x1, y1, x2, y2 (4, N), that overlap a rectangle."""
    x1, y1, x2, y2 = reach
    inside = (edges[0] < x2) & (edges[2] > x1) & (edges[1] < y2) & (edges[3] > y1)
    return list(np.flatnonzero(inside).tolist())


def _overlap(a: Rect, b: Rect) -> int:
    """Return the area in which two rectangles overlap."""
    width = min(a[2], b[2]) - max(a[0], b[0])
    height = min(a[3], b[3]) - max(a[1], b[1])
    return width * height if width > 0 and height > 0 else 0


def _area(rect: Rect) -> int:
    return (rect[2] - rect[0]) * (rect[3] - rect[1])


def _draw_legend(
    canvas: NDArray[np.uint8],
    labels: Sequence[Label],
    unnamed: set[int],
    used: Sequence[Rect],
    strokes: Strokes,
) -> None:
    """Write how many boxes there are of the unnamed classes, where the least is `used`."""
    counts = Counter(label.class_id for label in labels)
    names = {label.class_id: label.name for label in labels}
    lines = [
        (class_id, f"{names[class_id]} \N{MULTIPLICATION SIGN}{count}")
        for class_id, count in counts.most_common()
        if class_id in unnamed
    ]
    height, width = canvas.shape[:2]
    block = Block.fitted(lines, (width, height), strokes, most_px=_LEGEND * strokes.font_px)
    margin = block.margin((width, height))
    right, bottom = width - block.size_wh[0] - margin, height - block.size_wh[1] - margin
    corners = [(x, y) for y in (margin, bottom) for x in (margin, right)]

    def hidden(corner: tuple[int, int]) -> int:
        (x, y), (wide, high) = corner, block.size_wh
        return sum(_overlap((x, y, x + wide, y + high), other) for other in used)

    block.draw(canvas, *min(corners, key=hidden))
