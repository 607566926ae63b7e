"""Shapes that actors are made of: filled outlines, each a part of one thing."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Outline = NDArray[np.float64]
"""Points [N,2] as (x, y), in metres; y is up."""

Colour = tuple[float, float, float]
"""Blue, green, red, 0 to 255."""


@dataclass(frozen=True, slots=True)
class Shape:
    """Outlines that are filled together, so that one inside another is a hole.

    `part` says which part of the actor owns the pixels.
    """

    outlines: tuple[Outline, ...]
    colour: Colour
    part: int = 0


def polygon(points: Sequence[tuple[float, float]], colour: Colour, part: int = 0) -> Shape:
    """Return a filled outline through these points."""
    return Shape((np.array(points, float),), colour, part)


def ellipse(
    centre: tuple[float, float], radii: tuple[float, float], colour: Colour, part: int = 0
) -> Shape:
    """Return a filled, axis-aligned ellipse."""
    turn = np.linspace(0, 2 * np.pi, 18, endpoint=False)
    points = np.stack([np.cos(turn), np.sin(turn)], 1) * radii + centre
    return Shape((points,), colour, part)


def limb(
    start: tuple[float, float],
    end: tuple[float, float],
    width: float,
    colour: Colour,
    part: int = 0,
    *,
    taper: float = 1.0,
) -> Shape:
    """Return a thick line with round ends; its far end is `taper` times as wide."""
    first, last = np.array(start), np.array(end)
    along = last - first
    length = float(np.hypot(*along))
    angle = float(np.arctan2(along[1], along[0])) if length else 0.0
    round_end = np.linspace(-np.pi / 2, np.pi / 2, 5) + angle
    points = [
        last + width / 2 * taper * np.stack([np.cos(round_end), np.sin(round_end)], 1),
        first - width / 2 * np.stack([np.cos(round_end), np.sin(round_end)], 1),
    ]
    return Shape((np.concatenate(points),), colour, part)


def turned(shape: Shape, angle: float, about: tuple[float, float] = (0.0, 0.0)) -> Shape:
    """Return the shape turned counter-clockwise by `angle` radians."""
    turn = np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])
    outlines = tuple((points - about) @ turn + about for points in shape.outlines)
    return Shape(outlines, shape.colour, shape.part)


def shaded(colour: Colour, light: float) -> Colour:
    """Return the colour in another light: 0 is black, 1 unchanged, 2 white."""
    if light <= 1:
        return tuple_of([channel * light for channel in colour])
    return tuple_of([channel + (255 - channel) * (light - 1) for channel in colour])


def mixed(colour: Colour, other: Colour, share: float) -> Colour:
    """Mix a `share` of the other colour with the rest of this one."""
    return tuple_of([a + (b - a) * share for a, b in zip(colour, other, strict=True)])


def tuple_of(channels: Sequence[float]) -> Colour:
    """Return three channels as a colour."""
    blue, green, red = channels
    return (float(blue), float(green), float(red))
