"""What a model says about one picture."""

from dataclasses import dataclass
from typing import Any

from numpy.typing import NDArray

from predictions.class_score import ClassScore
from predictions.detections import Detections
from predictions.legend import NO_LEGEND, Legend
from predictions.segment import Segment


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
