"""How thick and how large things are drawn, and which of them."""

import math
from dataclasses import dataclass
from functools import lru_cache

from core.options import DrawOptions

_WIDEST = 2  # longer pictures than this, as sides, count as that wide: nobody sees them whole
_STEP = 1.12


@dataclass(frozen=True, slots=True)
class Strokes:
    """Thickness and size of what is drawn, in pixels, for an image of a certain size.

    `limb_px` is for a person's limbs, unless the person is small; `font_px` for a label that has
    room, which shrinks to `least_font_px` where it has none.
    """

    line_px: int
    limb_px: int
    font_px: int
    least_font_px: int

    @classmethod
    def for_image(
        cls, width: int, height: int, *, line_px: int | None = None, font_scale: float = 1.0
    ) -> "Strokes":
        """Return strokes that can be read in a thumbnail of 320 pixels as on a whole screen.

        A given `line_px` holds for images of all sizes; `font_scale` multiplies all fonts.
        """
        side = min(max(width, height), _WIDEST * min(width, height))
        return cls(
            line_px=line_px or max(1, round(side / 300 + 0.6)),
            limb_px=max(1, round(1.6 * line_px if line_px else side / 150)),
            font_px=_step(font_scale * (side / 32 + 3)),
            least_font_px=_step(font_scale * max(_SMALL_FONT_PX, side / 200 + 5)),
        )

    def fonts(self, room_px: float) -> list[int]:
        """Return the sizes to try for a label, the largest first, which is about `room_px`."""
        sizes = [min(self.font_px, max(self.least_font_px, _step(room_px)))]
        while sizes[-1] > self.least_font_px:
            sizes.append(max(self.least_font_px, _step(sizes[-1] / _STEP**2)))
        return sizes


@lru_cache(maxsize=4096)
def _step(font_px: float) -> int:
    """Return a size of a few that are used at all, so that rendered words can be used again."""
    steps = round(math.log(max(font_px, _LEAST_FONT_PX) / _LEAST_FONT_PX, _STEP))
    return round(_LEAST_FONT_PX * _STEP**steps)


_LEAST_FONT_PX = 6
_SMALL_FONT_PX = 9  # can still be read


@dataclass(frozen=True, slots=True)
class Look:
    """What is drawn besides the thing itself, and how.

    `line_px` is the width of lines in pixels; None makes it follow the picture's size.
    """

    labels: bool = True
    scores: bool = True
    boxes: bool = True
    line_px: int | None = None
    font_scale: float = 1.0

    @classmethod
    def of(cls, options: DrawOptions, *, boxes: bool = True) -> "Look":
        """Return what a job's options say; `boxes` holds if they leave that open."""
        return cls(
            labels=options.labels,
            scores=options.scores,
            boxes=boxes if options.boxes is None else options.boxes,
            line_px=options.line_width,
            font_scale=options.font_scale,
        )

    def strokes(self, width: int, height: int) -> Strokes:
        """Return the strokes for an image of this size."""
        return Strokes.for_image(width, height, line_px=self.line_px, font_scale=self.font_scale)

    def label(self, name: str, number: str) -> str:
        """Return what a label says: a name, and a score or share unless these are left out."""
        return f"{name} {number}" if self.scores else name


USUAL = Look()
