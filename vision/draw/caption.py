"""Lines of text in the corner of a picture."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from predictions.answer import ClassScore
from vision.draw.look import USUAL, Look, Strokes
from vision.draw.strip import label_strip, shortened, strip_size
from vision.palette import colour_of

_LEAST_SHOWN = 0.05  # result rows have them all
_MOST_HEIGHT = 0.5  # of the picture: a caption says what there is, and shouldn't hide it

Line = tuple[int, str]
"""A class, which gives a line its colour, and its text."""


def draw_classes(
    image_bgr: NDArray[np.uint8], classes: Sequence[ClassScore], look: Look = USUAL
) -> NDArray[np.uint8]:
    """Return a copy of an upright uint8 (H, W, 3) image with classes in its upper left corner.

    The first is always shown, others if they score at least 0.05 and there is room.
    """
    canvas = image_bgr.copy()
    stack_lines(
        canvas,
        [
            (one.class_id, look.label(one.label, f"{one.score:.2f}"))
            for place, one in enumerate(classes)
            if not place or one.score >= _LEAST_SHOWN
        ],
        look.strokes(canvas.shape[1], canvas.shape[0]),
    )
    return canvas


def stack_lines(canvas: NDArray[np.uint8], lines: Sequence[Line], strokes: Strokes) -> None:
    """Write lines onto the canvas in place, from the upper left corner down."""
    height, width = canvas.shape[:2]
    block = Block.fitted(lines, (width, height), strokes)
    margin = block.margin((width, height))
    block.draw(canvas, margin, margin)


@dataclass(frozen=True, slots=True)
class Block:
    """Lines below each other, and the font in which they fit into their picture."""

    lines: Sequence[Line]
    font_px: int
    size_wh: tuple[int, int]

    @classmethod
    def fitted(
        cls,
        lines: Sequence[Line],
        image_wh: tuple[int, int],
        strokes: Strokes,
        *,
        most_px: float | None = None,
    ) -> "Block":
        """Return the block for a picture of this size; its font is at most `most_px`.

        Lines shrink until all of them fit into half of the picture's height, and the last ones are
        left out if they don't in the smallest font. A line that is too wide is shortened, unless
        one size less would do.
        """
        width, height = image_wh
        fonts = strokes.fonts(strokes.font_px if most_px is None else most_px)
        if len(fonts) > 1 and _widest(lines, fonts[0]) > width >= _widest(lines, fonts[1]):
            fonts = fonts[1:]
        most = max(1, len(lines)) / _MOST_HEIGHT
        font_px = next((one for one in fonts if most * strip_size("", one)[1] <= height), fonts[-1])
        line_px = strip_size("", font_px)[1]
        room = max(1, int(height * _MOST_HEIGHT / line_px)) if height >= line_px else 0
        most = width - font_px if width > 4 * font_px else width
        shown = [(class_id, shortened(text, font_px, most)) for class_id, text in lines[:room]]
        wide = max((strip_size(text, font_px)[0] for _, text in shown), default=0)
        return cls(shown, font_px, (min(wide, width), len(shown) * line_px))

    def margin(self, image_wh: tuple[int, int]) -> int:
        """Return how far from the picture's edges the block stands."""
        margin = self.font_px // 2
        has_room = all(
            size + 2 * margin <= whole for size, whole in zip(self.size_wh, image_wh, strict=True)
        )
        return margin if has_room else 0

    def draw(self, canvas: NDArray[np.uint8], left: int, top: int) -> None:
        """Write the lines onto the canvas in place; (left, top) is the block's corner."""
        for class_id, text in self.lines:
            strip = label_strip(text, self.font_px, colour_of(class_id))
            strip = strip[:, : max(0, canvas.shape[1] - left)]
            canvas[top : top + len(strip), left : left + strip.shape[1]] = strip
            top += len(strip)


def _widest(lines: Sequence[Line], font_px: int) -> int:
    """Return the width of a block with all of the lines, with its margins."""
    return font_px + max((strip_size(text, font_px)[0] for _, text in lines), default=0)
