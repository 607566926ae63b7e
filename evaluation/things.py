"""What is in pictures, one row a thing: of the truth, or of a model's results."""

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

Rows = NDArray[np.intp] | NDArray[np.int64] | NDArray[np.bool_]


@dataclass(frozen=True, slots=True, eq=False)
class Things:
    """Things in pictures, as columns of N rows.

    `image` int64 (N,) is the place of a thing's picture in a list, `label` int64 (N,) that of its
    class. `xywh` float64 (N, 4) are left, top, width and height in pixels, and `area` float64 (N,)
    is what COCO's sizes go by. `crowd` bool (N,) marks regions of the truth in which nothing counts
    as wrong; `scores` float64 (N,) are 1 in a truth.

    Optional: `keypoints` float64 (N, K, 3), x, y and visibility or score; `segments`, masks in any
    of COCO's forms; `texts`; `outlines`, float64 (M, 2) of x, y.
    """

    image: NDArray[np.int64]
    label: NDArray[np.int64]
    xywh: NDArray[np.float64]
    area: NDArray[np.float64]
    crowd: NDArray[np.bool_]
    scores: NDArray[np.float64]
    keypoints: NDArray[np.float64] | None = None
    segments: Sequence[Any] | None = None
    texts: Sequence[str] | None = None
    outlines: Sequence[NDArray[np.float64]] | None = None

    @classmethod
    def of(
        cls,
        image: Any,
        label: Any,
        xywh: Any = None,
        *,
        area: Any = None,
        crowd: Any = None,
        scores: Any = None,
        **more: Any,
    ) -> Self:
        """Return things; what is not given is as of things without a place."""
        images = np.asarray(image, np.int64)
        count = len(images)
        boxes = np.zeros((count, 4)) if xywh is None else np.asarray(xywh, np.float64)
        boxes = boxes.reshape(count, 4)
        return cls(
            image=images,
            label=np.asarray(label, np.int64),
            xywh=boxes,
            area=boxes[:, 2] * boxes[:, 3] if area is None else np.asarray(area, np.float64),
            crowd=np.zeros(count, np.bool_) if crowd is None else np.asarray(crowd, np.bool_),
            scores=np.ones(count) if scores is None else np.asarray(scores, np.float64),
            **more,
        )

    def __len__(self) -> int:
        """Return how many there are."""
        return len(self.image)

    def take(self, rows: Rows) -> Self:
        """Return the rows where a mask (N,) is true, or those at these places, in order."""
        places = np.arange(len(self))[rows]

        def chosen(column: Any) -> Any:
            if column is None or isinstance(column, np.ndarray):
                return None if column is None else column[places]
            return [column[place] for place in places.tolist()]

        return replace(
            self, **{field.name: chosen(getattr(self, field.name)) for field in fields(self)}
        )
