"""The rows of a job's results."""

from dataclasses import dataclass
from typing import Any

from numpy.typing import NDArray

from core.items import ItemRef
from core.states import ItemState
from predictions.answer import NO_LEGEND, Answer, ClassScore, Legend, Segment
from predictions.detections import Detections


@dataclass(frozen=True, slots=True, eq=False)
class ResultRow:
    """What became of one item, or of one frame of it, under one model.

    `item` is the source as it was read. `width` and `height` are those of the upright image, `pts`
    is in seconds. `detections` is None if the item has no result, and has no boxes if nothing was
    found. `mask`, `cutout` and `annotated` are keys under the job's output.
    `reason` begins with a short code (see `core.errors.BadInputError`). `warning` says what was odd
    about the file, though there is a result.
    """

    item: ItemRef
    task: str
    model: str
    state: ItemState
    width: int | None = None
    height: int | None = None
    frame: int | None = None
    pts: float | None = None
    detections: Detections | None = None
    classes: tuple[ClassScore, ...] | None = None
    segments: tuple[Segment, ...] | None = None
    mask: str | None = None
    cutout: str | None = None
    annotated: str | None = None
    reason: str | None = None
    warning: str | None = None

    def answer(self, mask: NDArray[Any] | None = None, legend: Legend = NO_LEGEND) -> Answer:
        """Return what the model said about the picture, in a form that can be drawn again.

        `mask` is the content of the file `self.mask` (`vision.draw.by_task.decode_mask_of`).
        """
        return Answer(self.detections, self.classes, self.segments, mask, legend)

    @classmethod
    def quarantined(
        cls,
        item: ItemRef,
        *,
        task: str,
        model: str,
        reason: str,
        size: tuple[int, int] | None = None,
        frame: int | None = None,
        pts: float | None = None,
    ) -> "ResultRow":
        """Return the row of an item without a result; `size` is its width and height, if known."""
        width, height = size or (None, None)
        return cls(
            item=item,
            task=task,
            model=model,
            state=ItemState.QUARANTINED,
            width=width,
            height=height,
            frame=frame,
            pts=pts,
            reason=reason,
        )
