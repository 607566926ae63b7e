"""How large a network's batches may be, as its graph and its inputs allow."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any, Self


class Shapes(StrEnum):
    """How the inputs of a network compare from picture to picture."""

    SHARED = "shared"  # one shape for all
    LINES = "lines"  # a few widths, as lines of text have
    OWN = "own"  # as the picture's


@dataclass(frozen=True, slots=True)
class NetworkTraits:
    """What decides the batch size of a network, apart from the device.

    `largest_batch` is how many inputs the graph can take at once, None if there is no limit;
    `is_whole` says that the network is a whole model rather than a part of one.
    """

    shapes: Shapes
    largest_batch: int | None = None
    is_whole: bool = True

    def batch_size(self, wanted: int) -> int:
        """Return the inputs per run; `wanted` is what the device or a person asks for."""
        if self.largest_batch is not None:
            return min(wanted, self.largest_batch)
        if self.shapes is Shapes.LINES:
            # Lines come in several widths: half a batch fills sooner and is no slower per line.
            return max(1, wanted // 2)
        # Inputs of differing shapes don't share batches, so a part of a model would only get
        # copies of itself. For a whole model, a person or the models beside it may ask for more.
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
