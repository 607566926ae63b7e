"""Sailing boats."""

from dataclasses import dataclass

import numpy as np

from sample.actor import Pose
from sample.labels import SAILING_BOAT
from sample.lettering import NAMES, letter
from sample.shape import Colour, Shape, limb, polygon, shaded, turned

_HULLS: tuple[Colour, ...] = (
    (240, 240, 240),
    (120, 60, 30),
    (50, 50, 170),
    (70, 70, 70),
    (60, 110, 160),
    (90, 140, 60),
)
_SAILS: tuple[Colour, ...] = (
    (245, 248, 250),
    (215, 238, 248),
    (60, 70, 200),
    (190, 110, 40),
    (60, 190, 240),
    (110, 180, 120),
)


@dataclass(frozen=True, slots=True)
class SailingBoat:
    """A dinghy or a yacht that moves along +x when `forwards` is 1."""

    length: float
    mast: float
    hull: Colour
    main: Colour
    jib: Colour | None
    name: str
    forwards: int
    heel: float
    trim: float
    phase: float

    is_afloat = True

    @property
    def extent(self) -> tuple[float, float, float, float]:
        """The room that it takes: left, bottom, right, top, in metres."""
        half = max(self.length / 2, self.mast * 0.35)
        return (-half, -0.1, half, self.mast + 0.7)

    @property
    def speed(self) -> float:
        """Metres per second, along x."""
        return self.forwards * 0.35 * self.length

    def pose(self, seconds: float) -> Pose:
        """Return the boat's pose at this time."""
        heel = self.heel + 0.03 * np.sin(1.3 * seconds + self.phase)
        half, deck, flip = self.length / 2, 0.15 * self.length, self.forwards
        foot, top = (0.08 * self.length, deck), (0.06 * self.length, self.mast + deck)
        shapes = [limb(foot, top, 0.018 * self.length, (90, 110, 120))]
        shapes += self._sails(half, deck)
        side = [
            (-half, deck * 0.95),
            (half, deck * 1.15),
            (half * 0.82, deck * 0.35),
            (half * 0.55, -0.03 * self.length),
            (-half * 0.8, -0.03 * self.length),
            (-half * 0.97, deck * 0.3),
        ]
        shapes += [
            polygon(side, self.hull),
            polygon(
                [
                    (-half, deck * 0.97),
                    (half, deck * 1.15),
                    (half * 0.93, deck * 0.82),
                    (-half, deck * 0.7),
                ],
                shaded(self.hull, 0.72),
            ),
        ]
        ink = (40.0, 30.0, 20.0) if sum(self.hull) > 380 else (245.0, 245.0, 245.0)  # noqa: PLR2004
        written, lettering = letter(self.name, (-0.1 * half * flip, 0.36 * deck), 0.42 * deck, ink)
        placed = [
            Shape(tuple(points * (flip, 1.0) for points in shape.outlines), shape.colour)
            for shape in shapes
        ]
        placed = [turned(shape, heel) for shape in [*placed, written]]
        return Pose(shapes=tuple(placed), labels=(SAILING_BOAT,), lettering=lettering.turned(heel))

    def _sails(self, half: float, deck: float) -> list[Shape]:
        tack, peak = (
            (0.06 * self.length, deck * 1.35),
            (0.05 * self.length, self.mast * 0.96 + deck),
        )
        clew = (tack[0] - self.trim * self.length, deck * 1.45)
        belly = ((peak[0] + clew[0]) / 2 - 0.07 * self.length, (peak[1] + clew[1]) / 2)
        shapes = [
            polygon([tack, peak, belly, clew], self.main),
            polygon(
                [tack, peak, (0.3 * (peak[0] + tack[0] + clew[0]), 0.4 * peak[1])],
                shaded(self.main, 0.88),
            ),
            limb(tack, clew, 0.012 * self.length, (80, 100, 110)),
        ]
        if self.jib is not None:
            head = (0.08 * self.length, self.mast * 0.82 + deck)
            shapes.append(
                polygon(
                    [head, (half * 0.98, deck * 1.2), (0.12 * self.length, deck * 1.5)], self.jib
                )
            )
        return shapes


def random_sailing_boat(rng: np.random.Generator) -> SailingBoat:
    """Return a boat of 3.5 to 7 metres."""
    length = float(rng.uniform(3.5, 7.0))
    main = _SAILS[rng.integers(len(_SAILS))]
    return SailingBoat(
        length=length,
        mast=length * float(rng.uniform(1.15, 1.5)),
        hull=_HULLS[rng.integers(len(_HULLS))],
        main=main,
        jib=None if rng.random() < 0.25 else _SAILS[rng.integers(len(_SAILS))],  # noqa: PLR2004
        name=str(rng.choice(NAMES)),
        forwards=int(rng.choice([-1, 1])),
        heel=float(rng.normal(0, 0.09)),
        trim=float(rng.uniform(0.3, 0.52)),
        phase=float(rng.uniform(0, 2 * np.pi)),
    )
