"""Masks as runs of pixels, in the format of COCO's tools."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class RunLengths:
    """The mask of one object in a picture of `size` (h, w).

    `counts` is COCO's compressed text: run lengths, column by column, beginning outside the object.
    Equal masks have equal texts.
    """

    size: tuple[int, int]
    counts: str

    def decode(self) -> NDArray[np.bool_]:
        """Return the mask [H,W]."""
        lengths = _lengths(self.counts.encode("ascii"))
        inside = np.arange(len(lengths)) % 2 == 1
        return np.repeat(inside, lengths).reshape(self.size[::-1]).T

    def runs(self) -> NDArray[np.int64]:
        """Return each run's begin and end (exclusive), counted down the columns: (N, 2)."""
        edges = np.cumsum(_lengths(self.counts.encode("ascii")))
        return edges[: len(edges) // 2 * 2].reshape(-1, 2)


def _lengths(counts: bytes) -> NDArray[np.int64]:
    """Return the run lengths; pycocotools' own decoder raises warnings with current NumPy.

    Source: `rleFrString` in COCO's `maskApi.c`. A number is written in pieces of five bits, lowest
    first; bit 32 says that more follow, bit 16 of the last one that it is negative. From the fourth
    number on, each is the difference from the number two before.
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
