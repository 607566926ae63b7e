"""Gulls, on the wing and on the water."""

from dataclasses import dataclass

import numpy as np

from sample.actor import Pose
from sample.labels import GULL
from sample.shape import Colour, Shape, ellipse, limb, polygon, shaded, turned

_WHITE: Colour = (245, 245, 242)
_BEAK: Colour = (40, 160, 235)
_TIP: Colour = (50, 48, 45)


@dataclass(frozen=True, slots=True)
class Gull:
    """A gull with a wingspan of about a metre, heading along +x when `forwards` is 1."""

    is_flying: bool
    mantle: Colour
    forwards: int
    beats: float
    """Wing beats per second."""
    phase: float
    bank: float

    @property
    def is_afloat(self) -> bool:
        """Whether it floats on the water, and so is mirrored in it."""
        return not self.is_flying

    @property
    def extent(self) -> tuple[float, float, float, float]:
        """The room that it takes: left, bottom, right, top, in metres."""
        return (-0.6, -0.35, 0.6, 0.45) if self.is_flying else (-0.32, -0.03, 0.36, 0.4)

    @property
    def speed(self) -> float:
        """Metres per second, along x."""
        return self.forwards * (1.6 if self.is_flying else 0.05)

    def pose(self, seconds: float) -> Pose:
        """Return the gull's pose at this time."""
        if self.is_flying:
            flap = float(np.sin(2 * np.pi * (self.phase + self.beats * seconds)))
            shapes = [turned(shape, self.bank) for shape in self._on_the_wing(flap)]
        else:
            shapes = self._on_the_water()
        placed = (
            Shape(tuple(points * (self.forwards, 1.0) for points in shape.outlines), shape.colour)
            for shape in shapes
        )
        return Pose(shapes=tuple(placed), labels=(GULL,))

    def _on_the_wing(self, flap: float) -> list[Shape]:
        high, tip = 0.12 + 0.16 * flap, 0.02 + 0.3 * flap
        shapes = []
        for side, light in ((1.0, 0.85), (-1.0, 1.0)):
            root, bend, end = 0.05 * side, 0.28 * side, 0.56 * side
            wing = [
                (root, -0.03),
                (root * 1.6, 0.07),
                (bend, high + 0.05),
                (end, tip),
                (bend * 1.1, high - 0.06),
            ]
            black = [
                (bend + 0.62 * (end - bend), high + 0.62 * (tip - high) + 0.02),
                (end, tip),
                (bend + 0.55 * (end - bend), high + 0.55 * (tip - high) - 0.035),
            ]
            shapes += [polygon(wing, shaded(self.mantle, light)), polygon(black, _TIP)]
        return [
            *shapes[:2],
            polygon([(-0.2, 0.0), (-0.33, 0.05), (-0.32, -0.04)], _WHITE),
            ellipse((0.0, 0.0), (0.2, 0.075), _WHITE),
            ellipse((0.2, 0.035), (0.075, 0.06), _WHITE),
            polygon([(0.26, 0.05), (0.36, 0.01), (0.26, 0.0)], _BEAK),
            *shapes[2:],
        ]

    def _on_the_water(self) -> list[Shape]:
        return [
            ellipse((-0.02, 0.08), (0.24, 0.1), _WHITE),
            polygon([(-0.32, 0.14), (0.1, 0.17), (0.05, 0.05), (-0.2, 0.05)], self.mantle),
            polygon([(-0.32, 0.14), (-0.18, 0.15), (-0.2, 0.09)], _TIP),
            limb((0.15, 0.1), (0.2, 0.26), 0.1, _WHITE),
            ellipse((0.21, 0.28), (0.075, 0.065), _WHITE),
            polygon([(0.27, 0.3), (0.37, 0.26), (0.27, 0.25)], _BEAK),
            ellipse((0.23, 0.3), (0.014, 0.014), (20, 20, 20)),
        ]


def random_gull(rng: np.random.Generator) -> Gull:
    """Return a gull; three in four fly."""
    light = float(rng.uniform(0.6, 0.95))
    return Gull(
        is_flying=bool(rng.random() < 0.75),  # noqa: PLR2004
        mantle=shaded((205, 195, 190), light),
        forwards=int(rng.choice([-1, 1])),
        beats=float(rng.uniform(1.5, 3.0)),
        phase=float(rng.random()),
        bank=float(rng.normal(0, 0.2)),
    )
