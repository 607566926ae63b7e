"""Rowing boats and their crews."""

from dataclasses import dataclass

import numpy as np

from sample.actor import Pose
from sample.figure import Rower, figure, oar
from sample.labels import ROWER, ROWING_BOAT
from sample.lettering import NAMES, Lettering, letter
from sample.shape import Colour, Shape, limb, polygon, shaded

_PITCH = 1.3  # metres from seat to seat
_ENDS = 1.9  # metres of hull before the first seat and behind the last
_FREEBOARD = 0.36

_HULLS: tuple[Colour, ...] = (
    (235, 235, 235),
    (60, 60, 190),
    (150, 80, 30),
    (60, 120, 50),
    (60, 190, 235),
    (110, 60, 120),
    (70, 120, 170),
)
_SHIRTS: tuple[Colour, ...] = (
    (60, 50, 200),
    (190, 90, 40),
    (70, 170, 60),
    (240, 240, 240),
    (40, 190, 240),
    (150, 60, 140),
    (50, 50, 55),
)
_SKINS: tuple[Colour, ...] = ((180, 205, 240), (140, 175, 222), (95, 135, 190), (60, 85, 130))
_HAIRS: tuple[Colour, ...] = ((30, 35, 45), (40, 70, 110), (110, 170, 210), (70, 80, 90))


@dataclass(frozen=True, slots=True)
class RowingBoat:
    """A boat that moves towards -x when `forwards` is 1, its crew looking back along +x."""

    crew: tuple[Rower, ...]
    hull: Colour
    blades: Colour
    name: str
    forwards: int
    strokes: float
    """Strokes per second."""
    phase: float

    is_afloat = True

    @property
    def length(self) -> float:
        """The hull's length in metres."""
        return _PITCH * len(self.crew) + 2 * _ENDS

    @property
    def extent(self) -> tuple[float, float, float, float]:
        """The room that it takes: left, bottom, right, top, in metres."""
        return (-self.length / 2, -0.35, self.length / 2, 1.35)

    @property
    def speed(self) -> float:
        """Metres per second, along x."""
        return -self.forwards * 4.5 * self.strokes

    def pose(self, seconds: float) -> Pose:
        """Return the boat's pose at this time."""
        now = figure((self.phase + seconds * self.strokes) % 1.0)
        seats = [(i - (len(self.crew) - 1) / 2) * _PITCH - 0.45 for i in range(len(self.crew))]
        behind: list[Shape] = []
        before: list[Shape] = []
        near_oars: list[Shape] = []
        joints = {}
        flip = self.forwards
        for part, (seat, rower) in enumerate(zip(seats, self.crew, strict=True), 1):
            rigger = (0.55, _FREEBOARD + 0.02)
            behind += _moved(
                [*oar(rigger, now, self.blades, near=False), *now.behind(rower, part)], seat, flip
            )
            before += _moved(now.before(rower, part), seat, flip)
            near_oars += _moved(oar(rigger, now, self.blades, near=True), seat, flip)
            # People who look to the right turn their right side to the viewer.
            points = now.joints(near_is_left=flip < 0)
            joints[part] = tuple((flip * (x + seat), y) for x, y in points)
        hull, lettering = self._hull()
        return Pose(
            shapes=(*behind, *before, *hull, *near_oars),
            labels=(ROWING_BOAT, *(ROWER for _ in self.crew)),
            joints=joints,
            lettering=lettering,
        )

    def _hull(self) -> tuple[list[Shape], Lettering]:
        half, deck = self.length / 2, _FREEBOARD
        side = [
            (-half, deck + 0.06),
            (-half * 0.8, deck - 0.03),
            (half * 0.8, deck - 0.03),
            (half, deck + 0.04),
            (half * 0.93, 0.05),
            (half * 0.8, -0.04),
            (-half * 0.82, -0.04),
            (-half * 0.95, 0.08),
        ]
        low = [(x, min(y, 0.06)) for x, y in side[4:]]
        low = [(half * 0.93, 0.06), *low, (-half * 0.95, 0.06)]
        ink = (30.0, 30.0, 30.0) if sum(self.hull) > 380 else (245.0, 245.0, 245.0)  # noqa: PLR2004
        written, lettering = letter(self.name, (0.0, 0.19), 0.2, ink)
        shapes = [
            polygon(side, self.hull),
            polygon(low, shaded(self.hull, 0.55)),
            limb((-half, deck + 0.05), (half, deck + 0.03), 0.035, shaded(self.hull, 1.5)),
            written,
        ]
        return shapes, lettering


def random_rowing_boat(rng: np.random.Generator) -> RowingBoat:
    """Return a boat with one, two, four or eight rowers in the same shirts."""
    seats = int(rng.choice([1, 2, 4, 8], p=[0.34, 0.32, 0.24, 0.1]))
    shirt = _SHIRTS[rng.integers(len(_SHIRTS))]
    crew = tuple(
        Rower(
            skin=_SKINS[rng.integers(len(_SKINS))],
            hair=_HAIRS[rng.integers(len(_HAIRS))],
            shirt=shirt,
            cap=bool(rng.random() < 0.3),  # noqa: PLR2004
        )
        for _ in range(seats)
    )
    return RowingBoat(
        crew=crew,
        hull=_HULLS[rng.integers(len(_HULLS))],
        blades=_SHIRTS[rng.integers(len(_SHIRTS))],
        name=str(rng.choice(NAMES)),
        forwards=int(rng.choice([-1, 1])),
        strokes=float(rng.uniform(0.35, 0.6)),
        phase=float(rng.random()),
    )


def _moved(shapes: list[Shape], seat: float, flip: int) -> list[Shape]:
    """Return the shapes moved to their seat and turned with the boat."""
    shift = np.array([seat, 0.0])
    return [
        Shape(
            tuple((points + shift) * (flip, 1.0) for points in shape.outlines),
            shape.colour,
            shape.part,
        )
        for shape in shapes
    ]
