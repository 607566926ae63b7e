"""Renders label strips: a line of text on a coloured ground, made of cached parts."""

import io
from functools import lru_cache
from importlib.resources import files

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from vision.ops.resize import Size
from vision.palette import Colour, text_colour_on

# Shipped with the code, so that pictures don't depend on the machine's fonts. It has Latin with
# accents, Greek and Cyrillic.
_FONT = "DejaVuSansCondensed-Bold.ttf"

# A part of one size more can take megabytes, and large pictures take long anyway.
_CACHED_FONT_PX, _CACHED_LENGTH = 48, 40


def label_strip(text: str, font_px: int, background: Colour) -> NDArray[np.uint8]:
    """Return a line of text with a margin around it: read-only uint8 (h, w, 3), blue first.

    All strips of a font size have the same height. The cache of parts is bounded and thread-safe.
    """
    # There are too many pairs of name and score to cache, but few names and few scores. Parts that
    # meet at a space, with hinted advances of whole pixels and no kerning, give the same pixels as
    # the whole.
    name, space, score = text.rpartition(" ")
    margin = np.full((_height(font_px), _side(font_px), 3), background, np.uint8)
    words = [_words(part, font_px, background) for part in (name + space, score) if part]
    parts = [margin, *words, margin]
    strip = np.concatenate(parts, axis=1)
    strip.flags.writeable = False
    return strip


def strip_size(text: str, font_px: int) -> tuple[int, int]:
    """Return the width and height of a line's strip."""
    name, space, score = text.rpartition(" ")
    length = sum(_length(part, font_px) for part in (name + space, score) if part)
    return length + 2 * _side(font_px), _height(font_px)


def shortened(text: str, font_px: int, width: int) -> str:
    """Return a line whose strip is at most `width` wide, if anything of it fits.

    The end of its name is left out, and its last word, a score or a share, stays.
    """
    name, space, score = text.rpartition(" ")
    while name and strip_size(text, font_px)[0] > width:
        name = name[:-1].rstrip()
        text = f"{name}\N{HORIZONTAL ELLIPSIS}{space}{score}"
    return text


@lru_cache(maxsize=8192)
def _length(text: str, font_px: int) -> int:
    return round(_font(font_px).getlength(text))


def _words(text: str, font_px: int, background: Colour) -> NDArray[np.uint8]:
    """Return a part of a line, without margins on its left and right."""
    is_small = font_px <= _CACHED_FONT_PX and len(text) <= _CACHED_LENGTH
    return (_cached if is_small else _rendered)(text, font_px, background)


def _rendered(text: str, font_px: int, background: Colour) -> NDArray[np.uint8]:
    font = _font(font_px)
    strip = Image.new("RGB", (_length(text, font_px), _height(font_px)), background)
    draw = ImageDraw.Draw(strip)
    draw.text((0, _side(font_px) // 4), text, fill=text_colour_on(background), font=font)
    return np.asarray(strip, np.uint8)


_cached = lru_cache(maxsize=2048)(_rendered)


@lru_cache(maxsize=256)
def _height(font_px: int) -> int:
    return sum(_font(font_px).getmetrics()) + 2 * (_side(font_px) // 4)


def _side(font_px: int) -> int:
    """Return the width of the left and the right margin."""
    return max(2, round(font_px * 0.3))


@lru_cache(maxsize=64)
def _font(font_px: int) -> ImageFont.FreeTypeFont:
    # The basic layout, as the other one depends on a library of the machine.
    source = io.BytesIO((files("vision") / "fonts" / _FONT).read_bytes())
    return ImageFont.truetype(source, font_px, layout_engine=ImageFont.Layout.BASIC)


def fitted_text(text: str, size: Size) -> NDArray[np.uint8]:
    """Return a line of text as large as fits into `size` (h, w): each pixel's ink, uint8.

    It is left-aligned with a small margin and vertically centred. A character that the font lacks
    becomes a hollow square, and an invisible one (a tab, a line break) a space.
    """
    height, width = size
    line = "".join(map(_shown, text))
    ink = Image.new("L", (width, height))
    margin = height // 8
    room = max(1, width - 2 * margin)
    font_px = max(_LEAST_FONT_PX, int(height / _LINE_HEIGHT))
    while font_px > _LEAST_FONT_PX and (length := _font(font_px).getlength(line)) > room:
        font_px = max(_LEAST_FONT_PX, min(int(font_px * room / length), font_px - 1))
    place = (margin, height / 2)
    ImageDraw.Draw(ink).text(place, line, fill=255, font=_font(font_px), anchor="lm")
    return np.asarray(ink, np.uint8)


_LINE_HEIGHT = 1.17  # of this font's size
_LEAST_FONT_PX = 4
_SQUARE = "\N{WHITE SQUARE}"


@lru_cache(maxsize=4096)
def _shown(character: str) -> str:
    if not character.isprintable():
        return " "
    nothing = bytes(_font(_PROBE_PX).getmask(_NO_CHARACTER))
    return _SQUARE if bytes(_font(_PROBE_PX).getmask(character)) == nothing else character


_PROBE_PX = 24
_NO_CHARACTER = "\U0010ffff"  # no font has it
