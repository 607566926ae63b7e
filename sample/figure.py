"""A rower through a stroke, seen from the side: where each joint is, and the shapes around them."""

from dataclasses import dataclass

import numpy as np

from sample.actor import Joints
from sample.shape import Colour, Shape, ellipse, limb, polygon, shaded

# Lengths of an adult, in metres.
_THIGH, _SHIN, _TRUNK, _UPPER_ARM, _FOREARM = 0.45, 0.45, 0.56, 0.30, 0.27
_ANKLE = (0.98, 0.16)
_SEAT_HEIGHT = 0.26
_DRIVE = 0.42
"""The share of a stroke with the blade in the water; the rest is the recovery."""

_FAR = (0.05, 0.05)
"""How far the limbs of the far side are shifted: the only hint of depth."""

Point = tuple[float, float]


@dataclass(frozen=True, slots=True)
class Rower:
    """How one rower looks."""

    skin: Colour
    hair: Colour
    shirt: Colour
    cap: bool


@dataclass(frozen=True, slots=True)
class _Side:
    """The joints of the near or the far half of a body."""

    shoulder: Point
    elbow: Point
    wrist: Point
    hip: Point
    knee: Point
    ankle: Point


@dataclass(frozen=True, slots=True)
class Figure:
    """A rower at one moment, sitting at the origin and looking along +x."""

    near: _Side
    far: _Side
    head: Point
    nose: Point
    eyes: tuple[Point, Point]
    ears: tuple[Point, Point]
    blade: float
    """How far the blade has swept, from -1 at the catch to 1 at the finish."""
    lift: float
    """How far the blade is out of the water, 0 to 1."""

    def joints(self, *, near_is_left: bool) -> Joints:
        """Return the joints in COCO's order: left before right."""
        left, right = (self.near, self.far) if near_is_left else (self.far, self.near)
        near_eye, far_eye = self.eyes
        near_ear, far_ear = self.ears
        pairs = [
            (near_eye, far_eye) if near_is_left else (far_eye, near_eye),
            (near_ear, far_ear) if near_is_left else (far_ear, near_ear),
            (left.shoulder, right.shoulder),
            (left.elbow, right.elbow),
            (left.wrist, right.wrist),
            (left.hip, right.hip),
            (left.knee, right.knee),
            (left.ankle, right.ankle),
        ]
        return (self.nose, *(point for pair in pairs for point in pair))

    def behind(self, rower: Rower, part: int) -> list[Shape]:
        """Return the limbs of the far side."""
        return _limbs(self.far, rower, part, light=0.78)

    def before(self, rower: Rower, part: int) -> list[Shape]:
        """Return the trunk, the head and the limbs of the near side."""
        side = self.near
        hip = (side.hip[0] + _FAR[0] / 2, side.hip[1] + _FAR[1] / 2)
        neck = (side.shoulder[0] + _FAR[0] / 2, side.shoulder[1] + _FAR[1] / 2)
        face = (self.nose[0] - self.head[0], self.nose[1] - self.head[1])
        back = (self.head[0] - 0.35 * face[0], self.head[1] - 0.35 * face[1] + 0.035)
        shapes = [
            limb(hip, neck, 0.27, rower.shirt, part, taper=1.15),
            limb(neck, self.head, 0.1, shaded(rower.skin, 0.9), part),
            ellipse(back, (0.135, 0.14), rower.hair, part),
            ellipse(self.head, (0.105, 0.13), rower.skin, part),
            ellipse(self.nose, (0.03, 0.025), rower.skin, part),
        ]
        if rower.cap:
            brim = (self.nose[0] + 0.05 * np.sign(face[0] or 1.0), self.nose[1] + 0.09)
            top = (self.head[0], self.head[1] + 0.09)
            shapes += [
                ellipse(top, (0.13, 0.075), shaded(rower.shirt, 1.4), part),
                limb((top[0], brim[1]), brim, 0.035, shaded(rower.shirt, 1.2), part),
            ]
        return shapes + _limbs(side, rower, part, light=1.0)


def figure(phase: float) -> Figure:
    """Return the rower at this phase of a stroke, 0 to 1: catch at 0, finish at 0.42."""
    driving = phase < _DRIVE
    share = phase / _DRIVE if driving else (phase - _DRIVE) / (1 - _DRIVE)
    reach = (1 + np.cos(np.pi * share)) / 2 if driving else (1 - np.cos(np.pi * share)) / 2
    bend = max(0.0, 1 - 2.2 * reach)  # arms bend once the legs are nearly down
    lean = np.radians(-24 + 50 * reach)
    hip = (0.08 + 0.42 * reach, _SEAT_HEIGHT)
    shoulder = (hip[0] + _TRUNK * np.sin(lean), hip[1] + _TRUNK * np.cos(lean))
    grip_far = (shoulder[0] + 0.54, shoulder[1] - 0.14)
    grip_near = (hip[0] + 0.2, hip[1] + 0.3)
    wrist = (
        grip_far[0] + bend * (grip_near[0] - grip_far[0]),
        grip_far[1] + bend * (grip_near[1] - grip_far[1]),
    )
    near = _Side(
        shoulder=shoulder,
        elbow=_joint(shoulder, wrist, _UPPER_ARM, _FOREARM, upward=False),
        wrist=wrist,
        hip=hip,
        knee=_joint(hip, _ANKLE, _THIGH, _SHIN, upward=True),
        ankle=_ANKLE,
    )
    tilt = 0.6 * lean
    neck = (shoulder[0] + _FAR[0] / 2, shoulder[1] + _FAR[1] / 2)
    head = (neck[0] + 0.24 * np.sin(tilt), neck[1] + 0.24 * np.cos(tilt))
    return Figure(
        near=near,
        far=_shifted(near),
        head=head,
        nose=(head[0] + 0.11, head[1] - 0.01),
        eyes=((head[0] + 0.075, head[1] + 0.035), (head[0] + 0.095, head[1] + 0.04)),
        ears=((head[0] - 0.02, head[1] + 0.005), (head[0] + 0.02, head[1] + 0.015)),
        blade=float(1 - 2 * reach),
        lift=0.0 if driving else float(np.sin(np.pi * share) ** 0.5),
    )


def _limbs(side: _Side, rower: Rower, part: int, *, light: float) -> list[Shape]:
    skin, shirt = shaded(rower.skin, light), shaded(rower.shirt, 0.45 * light)
    return [
        limb(side.hip, side.knee, 0.17, shirt, part, taper=0.75),
        limb(side.knee, side.ankle, 0.12, skin, part, taper=0.75),
        limb(side.shoulder, side.elbow, 0.1, shaded(rower.shirt, 0.85 * light), part, taper=0.85),
        limb(side.elbow, side.wrist, 0.08, skin, part, taper=0.8),
        ellipse(side.wrist, (0.05, 0.045), skin, part),
    ]


def _shifted(side: _Side) -> _Side:
    points = (side.shoulder, side.elbow, side.wrist, side.hip, side.knee, side.ankle)
    return _Side(*((x + _FAR[0], y + _FAR[1]) for x, y in points))


def _joint(start: Point, end: Point, first: float, second: float, *, upward: bool) -> Point:
    """Return where two bones of these lengths meet; they stretch if the ends are too far apart."""
    gap = float(np.hypot(end[0] - start[0], end[1] - start[1]))
    reach = min(gap, 0.999 * (first + second))
    along = (first**2 - second**2 + reach**2) / (2 * reach)
    beside = float(np.sqrt(max(0.0, first**2 - along**2)))
    unit = ((end[0] - start[0]) / gap, (end[1] - start[1]) / gap)
    sign = 1.0 if upward else -1.0
    along *= gap / reach
    return (
        start[0] + along * unit[0] - sign * beside * unit[1],
        start[1] + along * unit[1] + sign * beside * unit[0],
    )


def oar(place: Point, figure_: Figure, colour: Colour, *, near: bool) -> list[Shape]:
    """Return the oar of one side, from the hand over its rigger at `place` to the blade."""
    swing = 0.85 * figure_.blade
    side = figure_.near if near else figure_.far
    down = -0.62 + 0.34 * figure_.lift if near else 0.06 + 0.22 * figure_.lift
    tip = (place[0] + swing, place[1] + down)
    shaft_end = (place[0] + 0.72 * swing, place[1] + 0.72 * down)
    across = (0.07, 0.0) if near else (0.05, 0.0)
    blade = [
        (shaft_end[0] - across[0], shaft_end[1]),
        (shaft_end[0] + across[0], shaft_end[1]),
        (tip[0] + 1.5 * across[0], tip[1]),
        (tip[0] - 1.5 * across[0], tip[1]),
    ]
    wood = (150.0, 200.0, 225.0)
    return [limb(side.wrist, shaft_end, 0.045, wood), polygon(blade, colour)]
