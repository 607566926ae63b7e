"""Label strips: a line of text on a coloured ground, rendered in parts that are kept."""

import io
from functools import lru_cache
from importlib.resources import files

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from vision.palette import Colour, text_colour_on

# Shipped with the code, so that pictures do not depend on the machine's fonts. It has Latin with
# accents, Greek and Cyrillic.
_FONT = "DejaVuSansCondensed-Bold.ttf"


def label_strip(text: str, font_px: int, background: Colour) -> NDArray[np.uint8]:
    """One line of text with a margin around it: read-only uint8 (h, w, 3), blue first.

    All strips of one font size are equally high, whatever the text. The cache of parts is bounded
    and safe to use from many threads.
    """
    # Names and scores come in more pairs than there is any use in keeping, but are few by
    # themselves. Parts that meet at a space, with hinted advances of whole pixels and no kerning,
    # are the same pixels as the whole.
    name, space, score = text.rpartition(" ")
    parts = [_margin(font_px, background)] * 2
    parts[1:1] = [_words(part, font_px, background) for part in (name + space, score) if part]
    strip = np.concatenate(parts, axis=1)
    strip.flags.writeable = False
    return strip


@lru_cache(maxsize=512)
def _words(text: str, font_px: int, background: Colour) -> NDArray[np.uint8]:
    """A part of a line, without margins at its sides."""
    font = _font(font_px)
    strip = Image.new("RGB", (round(font.getlength(text)), _height(font_px)), background)
    draw = ImageDraw.Draw(strip)
    draw.text((0, _side(font_px) // 4), text, fill=text_colour_on(background), font=font)
    return np.asarray(strip, np.uint8)


@lru_cache(maxsize=512)
def _margin(font_px: int, background: Colour) -> NDArray[np.uint8]:
    return np.full((_height(font_px), _side(font_px), 3), background, np.uint8)


def _height(font_px: int) -> int:
    return sum(_font(font_px).getmetrics()) + 2 * (_side(font_px) // 4)


def _side(font_px: int) -> int:
    """The margin on the left and on the right."""
    return max(2, round(font_px * 0.3))


@lru_cache(maxsize=16)
def _font(font_px: int) -> ImageFont.FreeTypeFont:
    # The basic layout: the other one comes and goes with a library of the machine.
    source = io.BytesIO((files("vision") / "fonts" / _FONT).read_bytes())
    return ImageFont.truetype(source, font_px, layout_engine=ImageFont.Layout.BASIC)
