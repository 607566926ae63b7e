"""Which places of the network answer for which thing: dynamic soft labels (RTMDet, Lyu 2022)."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from training.fcos import STRIDES

Floats = NDArray[np.float32]

_CANDIDATES = 13
_OVERLAP_WEIGHT = 3.0
_OUTSIDE = 1e6
_NEAR = 0.75
_LEAST_STRIDES, _MOST_STRIDES = 3.0, 10.0
_TINY = 1e-7


@dataclass(frozen=True, slots=True)
class Assignment:
    """For the places that answer for a thing: their numbers, the things', and how well they do."""

    places: NDArray[np.int64]
    things: NDArray[np.int64]
    overlaps: Floats


def all_middles(side: int) -> tuple[Floats, Floats]:
    """Middles [N,2] as (x, y) and strides [N] of all places of a square input."""
    middles, strides = [], []
    for stride in STRIDES:
        along = (np.arange(side // stride, dtype=np.float32) + 0.5) * stride
        y, x = np.meshgrid(along, along, indexing="ij")
        middles.append(np.stack([x.ravel(), y.ravel()], 1))
        strides.append(np.full(x.size, stride, np.float32))
    return np.concatenate(middles), np.concatenate(strides)


def assign(
    scores: Floats,
    boxes: Floats,
    middles: Floats,
    strides: Floats,
    truth: tuple[NDArray[np.int64], Floats],
) -> Assignment:
    """Match predictions (scores [N,classes] after the sigmoid, boxes [N,4]) with what there is.

    `truth` holds the classes [T] and the boxes [T,4]. The cost of a match is the error of the
    score, three times the log of the overlap, and a prior for the middle of the thing.
    """
    classes, sides = truth
    if not len(classes):
        nothing = np.zeros(0, np.int64)
        return Assignment(nothing, nothing, np.zeros(0, np.float32))
    overlap = overlaps(sides, boxes)
    centre = (sides[:, :2] + sides[:, 2:]) / 2
    extent = sides[:, 2:] - sides[:, :2]
    # Small things lie between places: there a place near their middle will do.
    reach = np.maximum(extent[:, None] / 2, _NEAR * strides[None, :, None])
    inside = (np.abs(middles[None] - centre[:, None]) < reach).all(-1)
    # Places that see little would learn to answer for the middle of something large.
    longest = extent.max(1)[:, None] / strides[None]
    inside &= (longest <= _MOST_STRIDES) | (strides == STRIDES[-1])[None]
    inside &= (longest >= _LEAST_STRIDES) | (strides == STRIDES[0])[None]
    guess = np.clip(scores[:, classes].T, _TINY, 1 - _TINY)
    entropy = -(overlap * np.log(guess) + (1 - overlap) * np.log(1 - guess))
    cost = entropy * np.abs(overlap - guess) ** 2 - _OVERLAP_WEIGHT * np.log(overlap + _TINY)
    distance = np.hypot(*(middles[None] - centre[:, None]).transpose(2, 0, 1)) / strides
    cost += 10.0 ** (distance - 3).clip(max=5) + _OUTSIDE * ~inside
    best = np.sort(overlap * inside, axis=1)[:, -_CANDIDATES:]
    wanted = np.clip(best.sum(1).astype(int), 1, None)
    chosen = np.zeros(cost.shape, bool)
    for thing, count in enumerate(wanted):
        chosen[thing, np.argpartition(cost[thing], count)[:count]] = True
    chosen &= inside
    # A place that several things want answers for the cheapest.
    places = np.flatnonzero(chosen.any(0))
    things = np.where(chosen[:, places], cost[:, places], np.inf).argmin(0)
    return Assignment(places, things, overlap[things, places].astype(np.float32))


def overlaps(these: Floats, those: Floats) -> Floats:
    """Intersection over union of all pairs: [A,4] and [B,4] give [A,B]."""
    low = np.maximum(these[:, None, :2], those[None, :, :2])
    high = np.minimum(these[:, None, 2:], those[None, :, 2:])
    shared = np.clip(high - low, 0, None).prod(-1)
    areas = [np.clip(boxes[:, 2:] - boxes[:, :2], 0, None).prod(-1) for boxes in (these, those)]
    return np.asarray(shared / (areas[0][:, None] + areas[1][None] - shared + _TINY), np.float32)
