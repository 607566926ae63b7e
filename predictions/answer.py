"""A model's answer about one picture."""

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Self

from numpy.typing import NDArray

from predictions.detections import Detections


@dataclass(frozen=True, slots=True)
class ClassScore:
    """A class given to a whole image with its score, or a class's share of the pixels.

    Raises:
        ValueError: The score is not a finite number.
    """

    label: str
    class_id: int
    score: float

    def __post_init__(self) -> None:
        """Check the score."""
        if not math.isfinite(self.score):
            raise ValueError(f"the score of {self.label} is {self.score}")


@dataclass(frozen=True, slots=True)
class Segment:
    """One segment of a panoptic map: `area` pixels within `box` (x1, y1, x2, y2).

    `id` is its number in the map (COCO's: red + 256 green + 65536 blue). Each thing is a segment of
    its own; stuff is one segment per class.
    """

    id: int
    label: str
    class_id: int
    is_thing: bool
    area: int
    box: tuple[int, int, int, int]


@dataclass(frozen=True, slots=True)
class Legend:
    """What is the same for all of a model's pictures.

    `background` is the class of a segmentation that is not drawn. If classes have names, rows tell
    it too; for a graph without names only its answers do.
    """

    background: int | None = None

    def to_json(self) -> dict[str, Any]:
        """Return plain values for a job's manifest."""
        return asdict(self)

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Self:
        """Return the legend that `to_json` wrote, ignoring facts that only other versions know."""
        return cls(background=data.get("background"))


NO_LEGEND = Legend()
"""The legend of a model whose rows say everything."""


@dataclass(frozen=True, slots=True, eq=False)
class Answer:
    """A model's answer about one picture: all of it that a row holds and that can be drawn.

    `mask` [H,W] has the picture's size. Its numbers depend on the task: uint8 classes, uint8 alpha
    (255 is foreground), or int32 `Segment.id`, 0 for pixels of no segment.
    """

    detections: Detections | None = None
    classes: tuple[ClassScore, ...] | None = None
    segments: tuple[Segment, ...] | None = None
    mask: NDArray[Any] | None = None
    legend: Legend = NO_LEGEND
