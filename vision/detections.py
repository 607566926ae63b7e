"""What a detector found in one image: the columns that everything downstream speaks."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import chain
from typing import Self, TypeVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from vision.ops.resize import Size
from vision.rle import Rle

_Scalar = TypeVar("_Scalar", bound=np.generic)


@dataclass(frozen=True, slots=True, eq=False)
class Detections:
    """The objects found in one image, one row each, as read-only columns.

    `xyxy` is float32 (N, 4): x1, y1, x2, y2 in pixels of the upright source image; boxes may
    reach over its edges, as some models say so. `scores` is float32 (N,), `class_ids` int32 (N,),
    not negative. All values are finite. `masks` holds one of the picture's size for each row; None
    where the model knows boxes only.

    Raises:
        ValueError: The columns do not fit together, or hold what no detection can be.
    """

    xyxy: NDArray[np.float32]
    scores: NDArray[np.float32]
    class_ids: NDArray[np.int32]
    masks: tuple[Rle, ...] | None = None

    def __post_init__(self) -> None:
        xyxy, scores = _frozen(self.xyxy, np.float32), _frozen(self.scores, np.float32)
        class_ids = _frozen(self.class_ids, np.int32)
        rows = len(scores) if scores.ndim == 1 else -1
        if rows < 0 or xyxy.shape != (rows, 4) or class_ids.shape != (rows,):
            shapes = f"xyxy {xyxy.shape}, scores {scores.shape}, class_ids {class_ids.shape}"
            raise ValueError(f"the columns must be (N, 4), (N,) and (N,), got {shapes}")
        if not (np.isfinite(xyxy).all() and np.isfinite(scores).all()):
            raise ValueError("boxes and scores must be finite numbers")
        if (class_ids < 0).any():
            raise ValueError("class ids must not be negative")
        if self.masks is not None and len(self.masks) != rows:
            raise ValueError(f"there are {len(self.masks)} masks for {rows} rows")
        object.__setattr__(self, "xyxy", xyxy)
        object.__setattr__(self, "scores", scores)
        object.__setattr__(self, "class_ids", class_ids)

    @classmethod
    def empty(cls) -> Self:
        """Nothing found, which is an answer too."""
        return cls(
            xyxy=np.empty((0, 4), np.float32),
            scores=np.empty(0, np.float32),
            class_ids=np.empty(0, np.int32),
        )

    def __len__(self) -> int:
        return len(self.scores)

    def select(self, rows: NDArray[np.bool_] | NDArray[np.intp]) -> Self:
        """The rows that a mask (N,) is true for, or those of an array of indices, in its order."""
        masks = self.masks
        if masks is not None:
            masks = tuple(masks[row] for row in np.arange(len(self))[rows].tolist())
        return type(self)(
            xyxy=self.xyxy[rows],
            scores=self.scores[rows],
            class_ids=self.class_ids[rows],
            masks=masks,
        )

    def moved(self, x: int, y: int, size: Size) -> Self:
        """The same objects in a larger picture of `size` (h, w), which has this one at (x, y)."""
        masks = self.masks
        if masks is not None:
            masks = tuple(mask.placed(size, x, y) for mask in masks)
        return replace(self, xyxy=self.xyxy + np.array([x, y, x, y], np.float32), masks=masks)

    @classmethod
    def joined(cls, parts: Sequence[Self]) -> Self:
        """The rows of all parts, one part after the other; with masks if each has some."""
        if not parts:
            return cls.empty()
        masks = [part.masks for part in parts if part.masks is not None]
        return cls(
            xyxy=np.concatenate([part.xyxy for part in parts]),
            scores=np.concatenate([part.scores for part in parts]),
            class_ids=np.concatenate([part.class_ids for part in parts]),
            masks=tuple(chain.from_iterable(masks)) if len(masks) == len(parts) else None,
        )

    def by_score(self) -> Self:
        """The same rows, best score first; equal scores keep their order."""
        return self.select(np.argsort(-self.scores, kind="stable"))


def label_of(labels: Sequence[str], class_id: int) -> str:
    """The name of a class; a class that the model's label list lacks is named by its number."""
    return labels[class_id] if class_id < len(labels) else f"class {class_id}"


def _frozen(values: ArrayLike, dtype: type[_Scalar]) -> NDArray[_Scalar]:
    column = np.asarray(values, dtype=dtype).view()
    column.flags.writeable = False
    return column
