"""How a detector looks at pictures that are too large for it: tile by tile."""

from dataclasses import dataclass
from typing import Literal

Merge = Literal["nms", "nmm"]


@dataclass(frozen=True, slots=True)
class Slicing:
    """Tiles of `width` x `height` pixels, whose neighbours overlap by a share of a tile.

    What neighbours both found is merged: of two boxes the better one stays as it is (`nms`), or
    grows to cover both (`nmm`).
    """

    width: int
    height: int
    overlap: float
    merge: Merge
