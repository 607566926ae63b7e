"""Cuts pictures into tiles, where small objects get the pixels that models were trained for.

The tiles are those of SAHI's `get_slice_bboxes`: neighbours overlap by a share of a tile, and those
at the far edges are moved back inside, so that all have the same size.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from core.errors import UsageError
from predictions.detections import Detections
from vision.rectangle import Rectangle
from vision.rle import moved


@dataclass(frozen=True, slots=True)
class Tiling:
    """How to cut pictures: tiles of `width` x `height` that overlap by a share of a tile.

    Raises:
        UsageError: A side is not positive, or the overlap is not at least 0 and below 1.
    """

    width: int
    height: int
    overlap: float = 0.2

    def __post_init__(self) -> None:
        if self.width < 1 or self.height < 1:
            raise UsageError(f"tiles of {self.width}x{self.height} pixels cannot be cut")
        if not 0 <= self.overlap < 1:
            raise UsageError(
                f"tiles cannot overlap by {self.overlap}",
                hint="the overlap is a share of a tile: at least 0 and less than 1",
            )

    def tiles(self, size_wh: tuple[int, int]) -> list[Rectangle]:
        """Return the tiles of a picture of `size_wh` (width, height), row by row.

        A side shorter than a tile's is not cut.
        """
        columns = list(_spans(size_wh[0], self.width, self.overlap))
        return [
            Rectangle(left, top, right, bottom)
            for top, bottom in _spans(size_wh[1], self.height, self.overlap)
            for left, right in columns
        ]


def _spans(length: int, side: int, overlap: float) -> Iterator[tuple[int, int]]:
    start = 0
    while start + side < length:
        yield start, start + side
        start += side - int(overlap * side)
    yield max(0, length - side), length


def in_picture(
    found: Sequence[Detections], tiles: Sequence[Rectangle], size_wh: tuple[int, int]
) -> Detections:
    """Return the detections from a picture's tiles, in pixels of the picture of `size_wh`.

    Rows come tile by tile, and objects in two tiles come twice (see `vision.merging`).
    """
    size = size_wh[1], size_wh[0]
    return Detections.joined(
        [moved(part, tile.x1, tile.y1, size) for part, tile in zip(found, tiles, strict=True)]
    )
