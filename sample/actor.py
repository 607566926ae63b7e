"""The interface shared by the world's boats, buoys and birds."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol

from sample.lettering import Lettering
from sample.shape import Shape

Joints = tuple[tuple[float, float], ...]
"""COCO's 17 joints, in its order, in metres."""


@dataclass(frozen=True, slots=True)
class Pose:
    """An actor at one moment, about its own origin, in metres; y is up, 0 at the waterline.

    `shapes` are ordered back to front. `labels` names each part; `joints` are the rowers' joints,
    by part; `lettering` is the name painted on part 0.
    """

    shapes: tuple[Shape, ...]
    labels: tuple[str, ...]
    joints: Mapping[int, Joints] = field(default_factory=dict)
    lettering: Lettering | None = None


class Actor(Protocol):
    """Something that moves through the world."""

    @property
    def extent(self) -> tuple[float, float, float, float]:
        """The room that it takes: left, bottom, right, top, in metres."""
        ...

    @property
    def speed(self) -> float:
        """Metres per second, along x."""
        ...

    @property
    def is_afloat(self) -> bool:
        """Whether it floats on the water, and so is mirrored in it."""
        ...

    def pose(self, seconds: float) -> Pose:
        """Return the actor's pose at this time."""
        ...
