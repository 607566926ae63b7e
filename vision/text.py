"""Label strips: a line of text on a coloured ground, rendered once and then kept."""

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


@lru_cache(maxsize=256)
def label_strip(text: str, font_px: int, background: Colour) -> NDArray[np.uint8]:
    """One line of text with a margin around it: read-only uint8 (h, w, 3), blue first.

    All strips of one font size are equally high, whatever the text. The cache is bounded and safe
    to use from many threads.
    """
    font = _font(font_px)
    ascent, descent = font.getmetrics()
    margin = max(2, round(font_px * 0.3))
    width = round(font.getlength(text)) + 2 * margin
    height = ascent + descent + 2 * (margin // 4)
    strip = Image.new("RGB", (width, height), background)
    draw = ImageDraw.Draw(strip)
    draw.text((margin, margin // 4), text, fill=text_colour_on(background), font=font)
    pixels = np.asarray(strip, np.uint8)
    pixels.flags.writeable = False
    return pixels


@lru_cache(maxsize=16)
def _font(font_px: int) -> ImageFont.FreeTypeFont:
    # The basic layout: the other one comes and goes with a library of the machine.
    source = io.BytesIO((files("vision") / "fonts" / _FONT).read_bytes())
    return ImageFont.truetype(source, font_px, layout_engine=ImageFont.Layout.BASIC)
