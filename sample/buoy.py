"""Buoys: cans, cones, balls and spars."""

from dataclasses import dataclass

import numpy as np

from sample.actor import Pose
from sample.labels import BUOY
from sample.shape import Colour, Shape, ellipse, limb, polygon, shaded, turned

_COLOURS: tuple[Colour, ...] = (
    (40, 40, 215),
    (60, 150, 40),
    (20, 200, 245),
    (20, 120, 245),
    (235, 235, 235),
    (150, 60, 200),
)


@dataclass(frozen=True, slots=True)
class Buoy:
    """A moored buoy, `height` metres high, which rocks in the waves."""

    form: str
    height: float
    colour: Colour
    band: Colour | None
    phase: float

    is_afloat = True
    speed = 0.0

    @property
    def extent(self) -> tuple[float, float, float, float]:
        """The room that it takes: left, bottom, right, top, in metres."""
        return (-0.5 * self.height, -0.05, 0.5 * self.height, self.height * 1.05)

    def pose(self, seconds: float) -> Pose:
        """Return the buoy's pose at this time."""
        tilt = 0.1 * float(np.sin(1.7 * seconds + self.phase))
        shapes = [turned(shape, tilt) for shape in _FORMS[self.form](self)]
        return Pose(shapes=tuple(shapes), labels=(BUOY,))

    def can(self) -> list[Shape]:
        """Return a cylinder with a flat top."""
        high, wide = self.height, 0.36 * self.height
        return [
            polygon([(-wide, -0.03), (wide, -0.03), (wide, high), (-wide, high)], self.colour),
            *self._band(0.4 * high, 0.62 * high, wide, wide),
            polygon(
                [(0.35 * wide, -0.03), (wide, -0.03), (wide, high), (0.35 * wide, high)],
                shaded(self.colour, 0.7),
            ),
            ellipse((0, high), (wide, 0.05 * high), shaded(self.colour, 1.3)),
        ]

    def cone(self) -> list[Shape]:
        """Return a cone on a low float."""
        high, wide = self.height, 0.42 * self.height
        return [
            polygon(
                [(-wide, -0.03), (wide, -0.03), (0.1 * wide, high), (-0.1 * wide, high)],
                self.colour,
            ),
            *self._band(0.3 * high, 0.55 * high, 0.73 * wide, 0.5 * wide),
            polygon(
                [(0.3 * wide, -0.03), (wide, -0.03), (0.1 * wide, high)], shaded(self.colour, 0.7)
            ),
        ]

    def ball(self) -> list[Shape]:
        """Return a sphere, partly under water."""
        radius = 0.46 * self.height
        return [
            ellipse((0, radius), (radius, radius), self.colour),
            *self._band(0.8 * radius, 1.2 * radius, 0.97 * radius, 0.97 * radius),
            ellipse(
                (0.3 * radius, 0.75 * radius),
                (0.62 * radius, 0.66 * radius),
                shaded(self.colour, 0.82),
            ),
            ellipse(
                (-0.35 * radius, 1.4 * radius),
                (0.2 * radius, 0.16 * radius),
                shaded(self.colour, 1.6),
            ),
        ]

    def spar(self) -> list[Shape]:
        """Return a float with a pole and a mark on top."""
        high, wide = self.height, 0.3 * self.height
        return [
            polygon(
                [
                    (-wide, -0.03),
                    (wide, -0.03),
                    (0.7 * wide, 0.3 * high),
                    (-0.7 * wide, 0.3 * high),
                ],
                self.colour,
            ),
            limb((0, 0.25 * high), (0, 0.85 * high), 0.1 * high, shaded(self.colour, 0.8)),
            ellipse((0, 0.88 * high), (0.17 * high, 0.14 * high), self.colour),
            *self._band(0.1 * high, 0.2 * high, 0.9 * wide, 0.8 * wide),
        ]

    def _band(self, low: float, high: float, below: float, above: float) -> list[Shape]:
        if self.band is None:
            return []
        return [polygon([(-below, low), (below, low), (above, high), (-above, high)], self.band)]


_FORMS = {"can": Buoy.can, "cone": Buoy.cone, "ball": Buoy.ball, "spar": Buoy.spar}


def random_buoy(rng: np.random.Generator) -> Buoy:
    """Return a buoy of 0.9 to 1.8 metres."""
    first, second = rng.permutation(len(_COLOURS))[:2]
    return Buoy(
        form=str(rng.choice(list(_FORMS))),
        height=float(rng.uniform(0.9, 1.8)),
        colour=_COLOURS[first],
        band=_COLOURS[second] if rng.random() < 0.4 else None,  # noqa: PLR2004
        phase=float(rng.uniform(0, 2 * np.pi)),
    )
