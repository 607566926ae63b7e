"""What checking a job needs to know of an exported model, so that its files need not be read."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Self

from core.batching import NetworkTraits, Shapes


@dataclass(frozen=True, slots=True)
class ExportFacts:
    """An export, as far as options, labels and batches depend on it.

    `threshold` is the score that the export suggests. `has_masks` says that a detector gives
    objects masks, `finds_people` that a keypoint model needs no detector. `shapes` and
    `largest_batch` decide its batches (`core.batching`).
    """

    task: str
    labels: tuple[str, ...] = ()
    threshold: float = 0.0
    has_masks: bool = False
    finds_people: bool = False
    shapes: Shapes = Shapes.OWN
    largest_batch: int | None = None

    def traits(self, *, is_whole: bool) -> NetworkTraits:
        """Return what decides its batch size; `is_whole` if it is a whole model."""
        return NetworkTraits(self.shapes, self.largest_batch, is_whole)

    def to_json(self) -> dict[str, Any]:
        """Return plain values, for a model's card."""
        return {**asdict(self), "labels": list(self.labels), "shapes": self.shapes.value}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Self:
        """Read what `to_json` wrote; unknown keys are ignored, unknown shapes count as `OWN`."""
        known = {name: data[name] for name in cls.__dataclass_fields__ if name in data}
        shapes = Shapes(known["shapes"]) if known.get("shapes") in set(Shapes) else Shapes.OWN
        return cls(**{**known, "labels": tuple(known.get("labels", ())), "shapes": shapes})
