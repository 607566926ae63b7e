"""Detections in one picture, as the columns that networks, drawing and results share."""

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from itertools import chain
from typing import Any, Self, TypeVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from predictions.run_lengths import RunLengths

_Scalar = TypeVar("_Scalar", bound=np.generic)


@dataclass(frozen=True, slots=True, eq=False)
class Detections:
    """The objects found in one picture, one row each, as read-only columns.

    `xyxy` is float32 (N, 4): x1, y1, x2, y2 in pixels of the upright source image; boxes may reach
    beyond its edges, as some models' do. `scores` is float32 (N,), `class_ids` int32 (N,), not
    negative. `labels` names the class ids, one tuple for all of a model's pictures; None while the
    classes have no names.

    The other columns are optional: `keypoints` float32 (N, K, 3) are x, y and a score; `masks` have
    the picture's size; `polygons` are N arrays float32 (M, 2) of x, y; `texts` are the lines read;
    `track_ids` int64 (N,) identify an object across frames. All numbers are finite.

    Raises:
        ValueError: The columns do not fit together, or hold impossible values.
    """

    xyxy: NDArray[np.float32]
    scores: NDArray[np.float32]
    class_ids: NDArray[np.int32]
    labels: tuple[str, ...] | None = None
    keypoints: NDArray[np.float32] | None = None
    masks: tuple[RunLengths, ...] | None = None
    polygons: tuple[NDArray[np.float32], ...] | None = None
    texts: tuple[str, ...] | None = None
    track_ids: NDArray[np.int64] | None = None

    def __post_init__(self) -> None:
        """Check the columns and freeze them."""
        self._freeze("xyxy", np.float32)
        self._freeze("scores", np.float32)
        self._freeze("class_ids", np.int32)
        self._freeze("keypoints", np.float32)
        self._freeze("track_ids", np.int64)
        if self.polygons is not None:
            outlines = tuple(_frozen(outline, np.float32) for outline in self.polygons)
            object.__setattr__(self, "polygons", outlines)
        self._check_shapes()
        for name in ("xyxy", "scores", "keypoints"):
            column = getattr(self, name)
            if column is not None and not np.isfinite(column).all():
                raise ValueError(f"{name} must be finite numbers")
        if not all(np.isfinite(outline).all() for outline in self.polygons or ()):
            raise ValueError("polygons must be finite numbers")
        if (self.class_ids < 0).any():
            raise ValueError("class ids must not be negative")
        if self.labels is not None and self.class_ids.max(initial=-1) >= len(self.labels):
            raise ValueError(f"a class id is outside of the {len(self.labels)} labels")

    def _freeze(self, name: str, dtype: type[np.generic]) -> None:
        column = getattr(self, name)
        if column is not None:
            object.__setattr__(self, name, _frozen(column, dtype))

    def _check_shapes(self) -> None:
        rows = len(self.scores) if self.scores.ndim == 1 else -1
        if rows < 0 or self.xyxy.shape != (rows, 4) or self.class_ids.shape != (rows,):
            raise ValueError(
                f"the columns must be (N, 4), (N,) and (N,), got xyxy {self.xyxy.shape}, "
                f"scores {self.scores.shape}, class_ids {self.class_ids.shape}"
            )
        for name in _OPTIONAL:
            column = getattr(self, name)
            if column is not None and len(column) != rows:
                raise ValueError(f"there are {len(column)} {name} for {rows} rows")
        if self.keypoints is not None and self.keypoints.shape[2:] != (3,):
            raise ValueError(f"keypoints must be (N, K, 3), got {self.keypoints.shape}")

    @classmethod
    def empty(cls, labels: tuple[str, ...] | None = None) -> Self:
        """Return detections without a row: finding nothing is an answer too."""
        return cls(
            xyxy=np.empty((0, 4), np.float32),
            scores=np.empty(0, np.float32),
            class_ids=np.empty(0, np.int32),
            labels=labels,
        )

    def __len__(self) -> int:
        """Return how many objects there are."""
        return len(self.scores)

    @property
    def names(self) -> list[str]:
        """Each object's class name."""
        return [label_of(self.labels or (), number) for number in self.class_ids.tolist()]

    def select(self, rows: NDArray[np.bool_] | NDArray[np.intp]) -> Self:
        """Return the rows where a mask (N,) is true, or those at an array of indices, in order."""
        places = np.arange(len(self))[rows].tolist()

        def chosen(column: Any) -> Any:
            return column[rows] if isinstance(column, np.ndarray) else _at(column, places)

        return replace(self, **{name: chosen(getattr(self, name)) for name in _COLUMNS})

    def by_score(self) -> Self:
        """Return the same rows, best score first; equal scores keep their order."""
        return self.select(np.argsort(-self.scores, kind="stable"))

    @classmethod
    def joined(cls, parts: Sequence[Self]) -> Self:
        """Return the rows of all parts, one part after another, with the labels of the first.

        Columns that any part lacks are left out.
        """
        if not parts:
            return cls.empty()

        def joint(name: str) -> Any:
            columns = [getattr(part, name) for part in parts]
            if any(column is None for column in columns):
                return None
            if isinstance(columns[0], np.ndarray):
                return np.concatenate(columns)
            return tuple(chain.from_iterable(columns))

        return cls(labels=parts[0].labels, **{name: joint(name) for name in _COLUMNS})


_COLUMNS = tuple(field.name for field in fields(Detections) if field.name != "labels")
_OPTIONAL = ("keypoints", "masks", "polygons", "texts", "track_ids")


def label_of(labels: Sequence[str], class_id: int) -> str:
    """Return the name of a class; one that the model's label list lacks is named by its number."""
    return labels[class_id] if class_id < len(labels) else f"class {class_id}"


def _at(column: tuple[Any, ...] | None, places: Sequence[int]) -> tuple[Any, ...] | None:
    return None if column is None else tuple(column[place] for place in places)


def _frozen(values: ArrayLike, dtype: type[_Scalar]) -> NDArray[_Scalar]:
    column = np.asarray(values, dtype=dtype).view()
    column.flags.writeable = False
    return column
