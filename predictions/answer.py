"""What a model says about one picture."""

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Self

from numpy.typing import NDArray

from predictions.detections import Detections


@dataclass(frozen=True, slots=True)
class ClassScore:
    """One class that a whole image was given, or its share of the pixels.

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

    `id` is its number in the map (COCO's: red + 256 green + 65536 blue). Things are apart from
    each other, what is no thing is one segment per class.
    """

    id: int
    label: str
    class_id: int
    is_thing: bool
    area: int
    box: tuple[int, int, int, int]


@dataclass(frozen=True, slots=True)
class Legend:
    """The same for all pictures of a model.

    `background` is the class of a segmentation that covers nothing. Where classes have names, rows
    say it, too; of a graph without names only its answers tell.
    """

    background: int | None = None

    def to_json(self) -> dict[str, Any]:
        """Plain values for a job's manifest."""
        return asdict(self)

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Self:
        """Return what `to_json` wrote; of what another version wrote, the facts known here."""
        return cls(background=data.get("background"))


NO_LEGEND = Legend()
"""That of a model whose rows say all."""


@dataclass(frozen=True, slots=True, eq=False)
class Answer:
    """What a model says about one picture: everything that a row holds of it, and can be drawn.

    `mask` [H,W] is of the picture's size. What its numbers are depends on the task: uint8 classes,
    uint8 alpha (255 is foreground), or int32 `Segment.id`, 0 for pixels of none.
    """

    detections: Detections | None = None
    classes: tuple[ClassScore, ...] | None = None
    segments: tuple[Segment, ...] | None = None
    mask: NDArray[Any] | None = None
    legend: Legend = NO_LEGEND
