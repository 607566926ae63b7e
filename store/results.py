from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from core.items import ItemRef
from core.states import ItemState


class RunLengths(NamedTuple):
    """A mask of `size` (h, w) as COCO's compressed run lengths."""

    size: tuple[int, int]
    counts: str


@dataclass(frozen=True, slots=True, eq=False)
class BoxColumns:
    """What was found in one image, as columns.

    `xyxy` is [N, 4] in pixels of the upright source image, `scores` [N], `class_ids` [N], and
    `labels` is what the class ids are looked up in: share one tuple between the rows of a model.
    Not every model gives the others: `keypoints` [N, K, 3] are x, y and a score; `masks` are of
    the size of the image; `polygons` are N arrays [M, 2] of x, y; `texts` say what is written
    there.

    Raises:
        ValueError: The columns don't fit together, or a number in them is not finite.
    """

    xyxy: NDArray[np.floating]
    scores: NDArray[np.floating]
    class_ids: NDArray[np.integer]
    labels: tuple[str, ...]
    keypoints: NDArray[np.floating] | None = None
    masks: Sequence[RunLengths] | None = None
    polygons: Sequence[NDArray[np.floating]] | None = None
    texts: Sequence[str] | None = None

    def __post_init__(self) -> None:
        count = len(self.scores)
        shapes = (self.xyxy.shape, self.scores.shape, self.class_ids.shape)
        if shapes != ((count, 4), (count,), (count,)):
            raise ValueError(f"boxes, scores and class ids have the shapes {shapes}")
        if not (np.isfinite(self.xyxy).all() and np.isfinite(self.scores).all()):
            raise ValueError("a box or a score is not a finite number")
        if count and not 0 <= self.class_ids.min() <= self.class_ids.max() < len(self.labels):
            raise ValueError(f"a class id is outside of the {len(self.labels)} labels")
        further: tuple[Any, ...] = (self.keypoints, self.masks, self.polygons, self.texts)
        if any(column is not None and len(column) != count for column in further):
            raise ValueError(f"keypoints, masks, polygons or texts are not {count}")
        if self.keypoints is not None and not np.isfinite(self.keypoints).all():
            raise ValueError("a keypoint is not a finite number")


@dataclass(frozen=True, slots=True)
class ClassScore:
    """One class that a whole image was given."""

    label: str
    class_id: int
    score: float


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


@dataclass(frozen=True, slots=True, eq=False)
class ResultRow:
    """What became of one item, or of one frame of it, under one model.

    `item` is the source as it was read. `width` and `height` are those of the upright image,
    `pts` is in seconds. `detections` is None where the item has no result, and holds no boxes
    where nothing was found. `mask`, `cutout` and `annotated` are keys under the job's output.
    `reason` begins with a short code (see `core.errors.BadInputError`).
    """

    item: ItemRef
    task: str
    model: str
    state: ItemState
    width: int | None = None
    height: int | None = None
    frame: int | None = None
    pts: float | None = None
    detections: BoxColumns | None = None
    classes: tuple[ClassScore, ...] | None = None
    segments: tuple[Segment, ...] | None = None
    mask: str | None = None
    cutout: str | None = None
    annotated: str | None = None
    reason: str | None = None

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
        """The row of what has no result; `size` is its width and height, if known."""
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
