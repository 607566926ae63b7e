"""How a detector looks at pictures that are too large for it: tile by tile."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, get_args

from core.codec import checked_keys
from core.errors import NewerError
from core.option import Kind, option

Merge = Literal["nms", "nmm"]


@dataclass(frozen=True, slots=True)
class Slicing:
    """Tiles of `width` x `height` pixels, whose neighbours overlap by a share of a tile.

    What two neighbours both found is merged: the better box stays as it is (`nms`) or grows to
    cover both (`nmm`).
    """

    width: int
    height: int
    overlap: float = option(
        "overlap",
        0.2,
        "Share of a tile that its neighbour also covers.",
        kind=Kind.NUMBER,
        least=0,
        most=0.9,
        needs="slice",
    )
    merge: Merge = option(
        "merge",
        "nmm",
        "How to merge a thing that two tiles show: one box around both (nmm), or the better "
        "box (nms).",
        choices=("nmm", "nms"),
        needs="slice",
    )

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> "Slicing":
        """Read what was written as plain values.

        Raises:
            NewerError: a newer version wrote it.
        """
        slicing = cls(**checked_keys(data, "slicing", cls))
        if slicing.merge not in get_args(Merge):
            raise NewerError(f"option 'merge' as {slicing.merge!r}")
        return slicing
