"""Finds which of many boxes share pixels without comparing every pair."""

from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

_MOST_CELLS_PER_BOX = 6
_BITS = 20  # for a cell's column and row each; the group takes the rest of 63
_LAST = 2**_BITS - 1


@dataclass(frozen=True, slots=True, eq=False)
class Neighbours:
    """Boxes on a grid of square cells, each listed in every cell that it touches.

    Built once for boxes `xyxy` float32 (N, 4) and group numbers (N,) from 0 up; boxes of different
    groups are not neighbours. It needs memory for a few numbers per box, whatever their sizes.
    """

    xyxy: NDArray[np.float32]
    groups: NDArray[np.int64]
    _side: float
    _keys: NDArray[np.int64]  # of the cells that are not empty, ascending
    _starts: NDArray[np.int64]  # where a cell's boxes begin in `_boxes`, one more at the end
    _boxes: NDArray[np.int64]

    @classmethod
    def of(cls, xyxy: NDArray[np.float32], groups: NDArray[np.int64]) -> Self:
        """Put boxes on a grid whose cells are about as large as most of the boxes."""
        sides = np.maximum(xyxy[:, 2:] - xyxy[:, :2], 0).astype(np.float64)
        side = max(1.0, float(np.median(sides.max(axis=1)))) if len(sides) else 1.0
        # With smaller cells, a few boxes that cover everything would be in every one.
        while np.prod(sides / side + 1, axis=1).sum() > _MOST_CELLS_PER_BOX * len(sides):
            side *= 2
        boxes, cells = _touched(xyxy, groups, side)
        order = np.argsort(cells, kind="stable")
        keys, starts = np.unique(cells[order], return_index=True)
        return cls(xyxy, groups, side, keys, np.append(starts, len(cells)), boxes[order])

    def count_bound(self, queries: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return an upper bound on the pairs that `pairs` looks at for each box."""
        owners, cells = _touched(self.xyxy[queries], self.groups[queries], self._side)
        at = np.searchsorted(self._keys, cells)
        found = self._starts[at + 1] - self._starts[at]
        return np.bincount(owners, found, len(queries)).astype(np.int64)

    def pairs(self, queries: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Return, for each of some boxes, the later ones (by number) that may share pixels with it.

        The result is two arrays of numbers, box and neighbour, in the order of `queries`. No pair
        comes twice, and none that shares pixels is missing.
        """
        owners, cells = _touched(self.xyxy[queries], self.groups[queries], self._side)
        at = np.searchsorted(self._keys, cells)
        lengths = self._starts[at + 1] - self._starts[at]
        here = np.repeat(np.arange(len(cells)), lengths)
        first = np.repeat(self._starts[at] - (np.cumsum(lengths) - lengths), lengths)
        others = self._boxes[first + np.arange(len(here))]
        box = queries[owners[here]]
        later = others > box
        box, others, here = box[later], others[later], here[later]
        # Two boxes may meet in many cells; only the cell with the first corner of their
        # intersection counts.
        corner = np.maximum(self.xyxy[box, :2], self.xyxy[others, :2])
        x, y = _cell(corner[:, 0], self._side), _cell(corner[:, 1], self._side)
        own = _key(self.groups[box], x, y) == cells[here]
        return box[own], others[own]


def _touched(
    xyxy: NDArray[np.float32], groups: NDArray[np.int64], side: float
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return each box's index in `xyxy` once per cell that it touches, and these cells' keys."""
    x1, y1, x2, y2 = (_cell(xyxy[:, edge], side) for edge in range(4))
    columns, rows = np.maximum(x2 - x1, 0) + 1, np.maximum(y2 - y1, 0) + 1
    counts = columns * rows
    owners = np.repeat(np.arange(len(xyxy)), counts)
    within = np.arange(len(owners)) - np.repeat(np.cumsum(counts) - counts, counts)
    row, column = np.divmod(within, columns[owners])
    return owners, _key(groups[owners], x1[owners] + column, y1[owners] + row)


def _cell(values: NDArray[np.float32], side: float) -> NDArray[np.int64]:
    """Return the cell of a coordinate; those far outside any picture share the outermost cells."""
    return np.clip(np.floor(values.astype(np.float64) / side), 0, _LAST).astype(np.int64)


def _key(
    groups: NDArray[np.int64], x: NDArray[np.int64], y: NDArray[np.int64]
) -> NDArray[np.int64]:
    return (groups << 2 * _BITS) | (y << _BITS) | x
