"""What a network's graph and inputs allow a batch to be."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any, Self


class Shapes(StrEnum):
    """How the inputs of a network for different pictures compare."""

    SHARED = "shared"  # one shape for all
    LINES = "lines"  # a few widths, as lines of text have
    OWN = "own"  # as the picture's


@dataclass(frozen=True, slots=True)
class NetworkTraits:
    """What a batch size goes by, besides the device.

    `largest_batch` is how many inputs the graph can take at once, None for as many as there are;
    `is_whole` says that the network is a model by itself, and not a part of another.
    """

    shapes: Shapes
    largest_batch: int | None = None
    is_whole: bool = True

    def batch_size(self, wanted: int) -> int:
        """Return how many inputs one run takes where `wanted` is what a device or a person says."""
        if self.largest_batch is not None:
            return min(wanted, self.largest_batch)
        if self.shapes is Shapes.LINES:
            # Of several widths; half a batch of one is full sooner, and no slower by the line.
            return max(1, wanted // 2)
        # What one network of a model gets in a shape of its own would be a batch of copies of
        # itself; of a whole model's, a person or other models beside it may make one.
        return wanted if self.is_whole or self.shapes is Shapes.SHARED else 1

    def to_json(self) -> dict[str, Any]:
        """Return plain values for the job's row."""
        return asdict(self)

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Self:
        """Read what `to_json` wrote; unknown keys are ignored, unknown shapes count as `OWN`."""
        shapes = data.get("shapes")
        return cls(
            Shapes(shapes) if shapes in set(Shapes) else Shapes.OWN,
            largest_batch=data.get("largest_batch"),
            is_whole=data.get("is_whole", True),
        )
