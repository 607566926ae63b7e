"""The picture that flows through the pipeline."""

from dataclasses import dataclass

from core.items import ItemRef
from worker.networks.network import Pixels


@dataclass(frozen=True, slots=True, eq=False)
class Picture:
    """An upright BGR picture [H,W,3] of an item; a still image has neither `frame` nor `pts`.

    `frame` counts an item's pictures from 0; `pts` is in seconds.
    """

    item: ItemRef
    frame: int | None
    pts: float | None
    image: Pixels

    @property
    def size_wh(self) -> tuple[int, int]:
        """Width and height."""
        return self.image.shape[1], self.image.shape[0]
