"""Measures how alike two ways of running a network are, in raw outputs and in answers.

Results count as the same within these limits: boxes and keypoints within a pixel, scores within
0.01, 99.9 % of a mask's pixels. A few in a hundred may differ by more, because those at a
threshold, or tied in a suppression, may fall on either side.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from predictions.answer import Answer
from predictions.detections import Detections
from vision.people import VISIBLE

LIMITS: Mapping[str, float] = {
    "raw": 0.01,
    "labels": 0.001,
    "boxes": 0.02,
    "keypoints": 0.02,
    "masks": 0.001,
    "texts": 0.0,
    "classes": 0.01,
    "pixels": 0.001,
}
"""The largest difference of each kind that still counts as none.

`raw` is what 99.9 % of a float output's differences stay below, relative to its largest value (a
graph may choose between two values, and rounding may change the choice); `labels` is the share of
an integer output that differs; `boxes`, `keypoints` and `texts` the share of detections without a
counterpart; `masks` and `pixels` the share of pixels; `classes` a score's difference.
"""

_PIXELS, _SCORE = 1.0, 0.01
_MOST = 0.999
_GREY_STEPS = 2  # of 255, by which alpha may differ


def raw_differences(
    plain: Sequence[NDArray[Any]], other: Sequence[NDArray[Any]]
) -> dict[str, float]:
    """Return the largest differences between two sets of outputs, in the network's order.

    Infinite if their shapes differ, as they do when a network finds another number of things.
    """
    found: dict[str, float] = {}
    for one, two in zip(plain, other, strict=True):
        kind = "raw" if one.dtype.kind == "f" else "labels"
        found[kind] = max(found.get(kind, 0.0), _raw(one, two))
    return found


def _raw(one: NDArray[Any], two: NDArray[Any]) -> float:
    if one.shape != two.shape:
        return float("inf")
    if not one.size:
        return 0.0
    if one.dtype.kind != "f":
        return float(np.mean(one != two))
    apart = np.abs(one.astype(np.float64) - two)
    if not np.isfinite(apart).all():
        return 0.0 if np.array_equal(one, two, equal_nan=True) else float("inf")
    worst = float(np.quantile(apart, _MOST, method="higher"))
    return worst / max(1e-6, float(np.abs(one).max()))


def finds_something(answer: Answer, threshold: float) -> bool:
    """Return whether an answer is of use for a comparison; empty ones are always equal."""
    if answer.mask is not None:
        return bool((answer.mask != answer.mask[:1, :1]).any())
    if answer.detections is not None:
        return bool(_surely(answer.detections, threshold).any())
    return bool(answer.classes)


def result_differences(plain: Answer, other: Answer, threshold: float) -> dict[str, float]:
    """Return the differences between two answers about one picture; see `LIMITS`.

    `threshold` is the score above which the model keeps detections: those within the allowed score
    difference of it need not be in both.
    """
    found: dict[str, float] = {}
    if plain.mask is not None and other.mask is not None:
        # A mask without classes is an alpha map.
        steps = _GREY_STEPS if plain.classes is None else 0
        apart = np.abs(plain.mask.astype(np.int32) - other.mask)
        found["pixels"] = float(np.mean(apart > steps))
    if plain.detections is not None and other.detections is not None:
        found |= _detections(plain.detections, other.detections, threshold)
    elif plain.classes and plain.mask is None:
        found["classes"] = _best_class(plain, other)
    return found


def _best_class(plain: Answer, other: Answer) -> float:
    """Return how far an answer's score for the other's best class is below that of its own best."""
    assert plain.classes
    if not other.classes:
        return 1.0
    scores = {one.class_id: one.score for one in plain.classes}
    return plain.classes[0].score - scores.get(other.classes[0].class_id, 0.0)


def _surely(found: Detections, threshold: float) -> NDArray[np.bool_]:
    """Return which detections are clear of the threshold."""
    return np.asarray(found.scores > threshold + _SCORE)


def _detections(plain: Detections, other: Detections, threshold: float) -> dict[str, float]:
    pairs = _paired(plain, other)
    missed = _surely(plain, threshold) & (pairs < 0)
    extra = _surely(other, threshold) & ~np.isin(np.arange(len(other.scores)), pairs)
    sure = max(1, int(_surely(plain, threshold).sum()), int(_surely(other, threshold).sum()))
    found = {"boxes": max(int(missed.sum()), int(extra.sum())) / sure}
    mine, theirs = np.flatnonzero(pairs >= 0).tolist(), pairs[pairs >= 0].tolist()
    if plain.keypoints is not None and other.keypoints is not None and len(mine):
        one, two = plain.keypoints[mine], other.keypoints[theirs]
        shown = one[..., 2] >= VISIBLE
        moved = np.abs(one[..., :2] - two[..., :2]).max(-1) > _PIXELS
        rescored = np.abs(one[..., 2] - two[..., 2]) > _SCORE
        found["keypoints"] = float(((moved | rescored) & shown).sum() / max(1, shown.sum()))
    if plain.texts is not None and other.texts is not None and len(mine):
        unlike = [plain.texts[a] != other.texts[b] for a, b in zip(mine, theirs, strict=True)]
        found["texts"] = sum(unlike) / len(unlike)
    if plain.masks is not None and other.masks is not None and len(mine):
        found["masks"] = max(
            _mask_difference(plain, other, *pair) for pair in zip(mine, theirs, strict=True)
        )
    return found


def _paired(plain: Detections, other: Detections) -> NDArray[np.intp]:
    """Return the index of each plain detection's counterpart, or -1; none is used twice."""
    pairs = np.full(len(plain.scores), -1, np.intp)
    free = np.ones(len(other.scores), np.bool_)
    for place in np.argsort(-plain.scores, kind="stable").tolist():
        apart = np.abs(other.xyxy - plain.xyxy[place]).max(-1)
        fits = (
            free
            & (other.class_ids == plain.class_ids[place])
            & (np.abs(other.scores - plain.scores[place]) <= _SCORE)
            & (apart <= _PIXELS)
        )
        if fits.any():
            best = int(np.where(fits, apart, np.inf).argmin())
            pairs[place], free[best] = best, False
    return pairs


def _mask_difference(plain: Detections, other: Detections, mine: int, theirs: int) -> float:
    assert plain.masks is not None
    assert other.masks is not None
    one, two = plain.masks[mine], other.masks[theirs]
    if one == two:
        return 0.0
    return float(np.mean(one.decode() != two.decode()))
