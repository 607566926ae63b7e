"""Masks as runs of pixels, in the form that COCO's tools write and read."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from pycocotools import mask as coco

from vision.ops.resize import Size


@dataclass(frozen=True, slots=True)
class Rle:
    """The pixels of one object in a picture of `size` (h, w).

    `counts` is COCO's compressed text: lengths of runs, column by column, outside first. Equal
    masks have equal texts.
    """

    size: Size
    counts: str

    @classmethod
    def of(cls, mask: NDArray[Any]) -> Self:
        """The pixels of a map [H,W] that are not 0."""
        return cls._read(coco.encode(np.asfortranarray(mask != 0, np.uint8)))

    @classmethod
    def union(cls, masks: Sequence[Self]) -> Self:
        """The pixels that any of some masks of one size has."""
        return cls._read(coco.merge([one.as_coco() for one in masks]))

    @classmethod
    def _read(cls, encoded: dict[str, Any]) -> Self:
        height, width = encoded["size"]
        return cls((int(height), int(width)), encoded["counts"].decode("ascii"))

    def as_coco(self) -> dict[str, Any]:
        """The mapping that pycocotools works with."""
        return {"size": list(self.size), "counts": self.counts.encode("ascii")}

    def decode(self) -> NDArray[np.bool_]:
        """The mask [H,W]."""
        lengths = _lengths(self.counts.encode("ascii"))
        inside = np.arange(len(lengths)) % 2 == 1
        return np.repeat(inside, lengths).reshape(self.size[::-1]).T

    def runs(self) -> NDArray[np.int64]:
        """Where each run begins and where it ends (outside), counted down the columns: (N, 2)."""
        edges = np.cumsum(_lengths(self.counts.encode("ascii")))
        return edges[: len(edges) // 2 * 2].reshape(-1, 2)

    @property
    def area(self) -> int:
        """How many pixels there are."""
        return int(coco.area(self.as_coco()))

    @property
    def box(self) -> tuple[int, int, int, int]:
        """The smallest x1, y1, x2, y2 around all pixels, the last two outside; 0s for none."""
        x, y, width, height = map(int, coco.toBbox(self.as_coco()))
        return x, y, x + width, y + height

    def placed(self, size: Size, x: int = 0, y: int = 0) -> Self:
        """This mask with its upper left corner at (x, y) of a picture of `size` (h, w).

        What does not fit is cut off. It takes time for the runs, not for the picture.
        """
        if self.size == size and (x, y) == (0, 0):
            return self
        height = self.size[0]
        first, last = self.runs().T
        # A run that goes on in the next column is one for each column.
        pieces = (last - 1) // height - first // height + 1
        column = np.arange(pieces.sum()) - np.repeat(np.cumsum(pieces) - pieces, pieces)
        column += np.repeat(first // height, pieces)
        top = np.maximum(np.repeat(first, pieces) - column * height, 0) + y
        bottom = np.minimum(np.repeat(last, pieces) - column * height, height) + y
        bottom = np.minimum(bottom, size[0])
        seen = (column + x < size[1]) & (top < bottom)
        before = (column[seen] + x) * size[0]
        return self._of_runs(size, before + top[seen], before + bottom[seen])

    @classmethod
    def _of_runs(cls, size: Size, first: NDArray[np.int64], last: NDArray[np.int64]) -> Self:
        apart = first[1:] != last[:-1]
        first = first[np.append(True, apart)[: len(first)]]
        last = last[np.append(apart, True)[: len(last)]]
        edges = np.stack([first, last], axis=1).ravel()
        lengths = np.diff(edges, prepend=0, append=size[0] * size[1])
        if len(edges) and not lengths[-1]:
            lengths = lengths[:-1]
        uncompressed = {"size": list(size), "counts": lengths.tolist()}
        return cls._read(coco.frPyObjects(uncompressed, *size))


def _lengths(counts: bytes) -> NDArray[np.int64]:
    """The lengths of the runs; pycocotools' own reading of them warns with today's NumPy.

    Source: `rleFrString` in COCO's `maskApi.c`. A number is written in pieces of five bits, the
    lowest first; 32 marks that more follow, 16 in the last one that it is negative. From the
    fourth on, a number is the difference from the one before the last.
    """
    pieces = np.frombuffer(counts, np.uint8).astype(np.int64) - 48
    ends = np.flatnonzero(pieces & 32 == 0)
    starts = np.append(0, ends[:-1] + 1)
    place = np.arange(len(pieces)) - np.repeat(starts, ends - starts + 1)
    numbers = np.add.reduceat((pieces & 31) << 5 * place, starts)
    numbers -= np.where(pieces[ends] & 16, 1 << 5 * (place[ends] + 1), 0)
    numbers[1::2] = np.cumsum(numbers[1::2])
    numbers[2::2] = np.cumsum(numbers[2::2])
    return numbers
