"""Paints names on hulls as outlines of letters, which turn and scale with their boat."""

from dataclasses import dataclass
from functools import lru_cache
from importlib.resources import files

import cv2
import numpy as np
from PIL import Image, ImageDraw, ImageFont

from sample.shape import Colour, Outline, Shape

NAMES = (
    *("ARGO", "ALBA", "BREEZE", "CALYPSO", "CORAL", "DELTA", "DORIS", "ECHO", "ELARA", "FJORD"),
    *("GALENE", "HALCYON", "HERON", "IRIS", "ISOLDE", "JUNO", "KESTREL", "LARK", "LUNA", "MAREN"),
    *("MERLIN", "MISTRAL", "NAIAD", "NEREID", "OSPREY", "OTTER", "PEARL", "PETREL", "PUFFIN"),
    *("QUEST", "RAVEN", "RHEA", "SEDNA", "SIREN", "SOLVEIG", "SWIFT", "TERN", "THETIS", "TIDE"),
    *("UNDINE", "VEGA", "VELA", "WAVE", "WILLOW", "XANTHE", "YARROW", "ZEPHYR"),
)

_PIXELS = 64


@dataclass(frozen=True, slots=True)
class Lettering:
    """A painted name; `quad` is its box [4,2] in metres, clockwise from the first letter's top."""

    text: str
    quad: Outline

    def turned(self, angle: float) -> "Lettering":
        """Return the name turned with its boat, counter-clockwise by `angle` radians."""
        turn = np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])
        return Lettering(self.text, self.quad @ turn)


def letter(
    text: str, centre: tuple[float, float], height: float, colour: Colour
) -> tuple[Shape, Lettering]:
    """Return the name in letters `height` metres high, centred on `centre`."""
    outlines, width = _outlines(text)
    middle = np.array([width / 2, 0.5])
    placed = tuple((points - middle) * height + centre for points in outlines)
    corners = np.array([[0, 1], [width, 1], [width, 0], [0, 0]], float)
    return Shape(placed, colour), Lettering(text, (corners - middle) * height + centre)


@lru_cache(maxsize=128)
def _outlines(text: str) -> tuple[tuple[Outline, ...], float]:
    """Return the letters' outlines in units of their height, y up, and the word's width."""
    path = files("vision") / "fonts" / "DejaVuSansCondensed-Bold.ttf"
    font = ImageFont.truetype(str(path), _PIXELS)
    left, top, right, bottom = font.getbbox(text)
    picture = Image.new("L", (int(right - left) + 2, int(bottom - top) + 2))
    ImageDraw.Draw(picture).text((1 - left, 1 - top), text, font=font, fill=255)
    inked = (np.array(picture) > 127).astype(np.uint8)  # noqa: PLR2004 - half covered
    found, _ = cv2.findContours(inked, cv2.RETR_CCOMP, cv2.CHAIN_APPROX_TC89_L1)
    high = float(inked.shape[0])
    outlines = tuple(
        np.stack([points[:, 0, 0] / high, 1 - points[:, 0, 1] / high], 1) for points in found
    )
    return outlines, inked.shape[1] / high
