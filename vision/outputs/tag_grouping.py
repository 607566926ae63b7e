"""Groups the points of all people in a picture by their tags: bottom-up.

Source of the formulas: PaddleDetection, `HrHRNetPostProcess` in
`deploy/python/keypoint_postprocess.py`, after Newell et al., "Associative embedding" (2017). The
network gives all points of a person about the same tag; joint by joint, each point goes to the
person whose mean tag is nearest.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from core.errors import BadInputError, FatalError

_CERTAIN = 0.2  # points must score more to start or join a person
_SAME = 1.0  # tags closer than this belong to one person
_TAG_WEIGHT = 100
_NEW_PERSON = 1e-10  # the cost of joining nobody
_SHIFT, _HALF = 0.25, 0.5
_LOOKS = (2048, 32768)
_EXPECTED = "heatmaps [1,K,H,W], tags [1,K,H,W,T], scores [1,K,M] and indices [1,K,M]"


@dataclass(slots=True)
class _Person:
    """A person being gathered: cells (K, 2) as (x, y), scores (K,), and each point's tag."""

    cells: NDArray[np.intp]
    scores: NDArray[np.float32]
    tags: list[NDArray[np.float32]]


def group_by_tags(
    outputs: Sequence[NDArray[Any]],
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Return the people in one picture's outputs: points (N, K, 3) and scores (N,).

    Points are x, y in cells of the heatmaps and a score, 0 if a person lacks the joint. A person's
    score is the mean over the points that were found before missing ones were filled in. The
    outputs are heatmaps [1,K,H,W], tags [1,K,H,W,T], and each joint's best peaks, best first: their
    scores and indices [1,K,M].

    Raises:
        FatalError: These are not the outputs of such a model.
        BadInputError: `model_output_invalid`: they hold NaN or infinity.
    """
    heat, tags, peaks, cells = _checked(outputs)
    people = _gathered(tags, peaks, cells)
    points = np.zeros((len(people), len(heat), 3), np.float32)
    scores = np.array([person.scores.mean() for person in people], np.float32)
    fields = [_Field(*of_joint) for of_joint in zip(heat, tags, strict=True)]
    for person, row in zip(people, points, strict=True):
        has = np.flatnonzero(person.scores > 0)
        row[has] = _refined(heat, has, person.cells[has], person.scores[has])
        _salvage(heat, fields, person, row)
    return points, scores


def _checked(outputs: Sequence[NDArray[Any]]) -> tuple[NDArray[Any], ...]:
    """Return heatmaps (K, H, W), tags (K, H, W, T), scores (K, M) and cells (K, M, 2) as (x, y)."""
    shapes = ", ".join(str(output.shape) for output in outputs)
    if [output.ndim for output in outputs] != [4, 5, 3, 3]:
        raise FatalError(f"expected {_EXPECTED}; the model gave {shapes}")
    heat, tags, peaks, indices = outputs
    _, joints, height, width = heat.shape
    if (
        heat.shape[0] != 1
        or tags.shape[:4] != heat.shape
        or peaks.shape[:2] != (1, joints)
        or indices.shape != peaks.shape
        or indices.dtype.kind not in "iu"
    ):
        raise FatalError(f"expected {_EXPECTED}; the model gave {shapes}")
    if not all(np.isfinite(values).all() for values in (heat, tags, peaks)):
        raise BadInputError("model_output_invalid", "the model's heatmaps hold NaN or infinity")
    if indices.min() < 0 or indices.max() >= height * width:
        raise BadInputError("model_output_invalid", "the model's points lie outside its heatmaps")
    cells = np.stack([indices[0] % width, indices[0] // width], axis=-1).astype(np.intp)
    return heat[0], tags[0], peaks[0], cells


def _gathered(
    tags: NDArray[np.float32], peaks: NDArray[np.float32], cells: NDArray[np.intp]
) -> list[_Person]:
    """Gather certain points as people; the same first tag, to the bit, means the same person."""
    joints, most = peaks.shape
    people: dict[float, _Person] = {}
    for joint in range(joints):
        certain = peaks[joint] > _CERTAIN
        scores, places = peaks[joint, certain], cells[joint, certain]
        of_points = tags[joint, places[:, 1], places[:, 0]]
        keys = list(people)[:most]
        owners = _assigned(of_points, scores, [_mean_tag(people[key]) for key in keys])
        for point, owner in owners:
            key = float(of_points[point, 0]) if owner is None else keys[owner]
            person = people.get(key)
            if person is None:
                empty = np.zeros((joints, 2), np.intp), np.zeros(joints, np.float32)
                person = people[key] = _Person(*empty, [])
            person.tags.append(of_points[point])
            person.scores[joint] = scores[point]
            person.cells[joint] = places[point]
    return list(people.values())


def _assigned(
    tags: NDArray[np.float32], scores: NDArray[np.float32], means: Sequence[NDArray[np.float32]]
) -> list[tuple[int, int | None]]:
    """Return whose each point is, as pairs of numbers; None for a new person.

    If two points fit one person and their tags are equally near, to whole numbers, the better one
    wins; the other goes to another person, or starts one.
    """
    if not means:
        return [(point, None) for point in range(len(tags))]
    # The import takes half a second, and most workers never need it.
    from scipy.optimize import linear_sum_assignment  # noqa: PLC0415

    distance = np.linalg.norm(tags[:, None] - np.array(means)[None], axis=2)
    cost = np.round(distance) * _TAG_WEIGHT - scores[:, None]
    if (missing := len(tags) - len(means)) > 0:
        cost = np.pad(cost, ((0, 0), (0, missing)), constant_values=_NEW_PERSON)
    pairs = zip(*(side.tolist() for side in linear_sum_assignment(cost)), strict=True)
    return [
        (point, owner if owner < len(means) and distance[point, owner] < _SAME else None)
        for point, owner in pairs
    ]


class _Field:
    """One joint's heatmap and tags, of which the hottest cells are looked at first.

    A cell's fit is at most its heat, so the search ends once a fit exceeds the heat of the rest.
    Searching whole maps for every person and joint would take seconds in a crowd.
    """

    def __init__(self, heat: NDArray[np.float32], tags: NDArray[np.float32]) -> None:
        self._heat, self._tags = heat.ravel(), tags.reshape(heat.size, -1)

    @cached_property
    def _looks(self) -> list[tuple[NDArray[np.intp] | slice, float]]:
        """Return growing sets of cells, each with the heat of the hottest cell it leaves out."""
        counts = [count for count in _LOOKS if count < len(self._heat)]
        hottest = np.argpartition(-self._heat, [count - 1 for count in counts])
        looks: list[tuple[NDArray[np.intp] | slice, float]] = [
            # In the map's own order: the first of equals counts.
            (np.sort(hottest[:count]), float(self._heat[hottest[count - 1]]))
            for count in counts
        ]
        return [*looks, (slice(None), -np.inf)]

    def best_fit(self, tag: NDArray[np.float32]) -> tuple[int, float]:
        """Return the cell whose heat most exceeds its tag's rounded distance, and by how much."""
        cell, score = 0, 0.0
        for cells, left_out in self._looks:
            distance = np.sum((self._tags[cells] - tag) ** 2, axis=1) ** 0.5
            fit = self._heat[cells] - np.round(distance)
            best = int(fit.argmax())
            cell, score = best if isinstance(cells, slice) else int(cells[best]), float(fit[best])
            if score > left_out:
                break
        return cell, score


def _salvage(
    heat: NDArray[np.float32], fields: Sequence[_Field], person: _Person, row: NDArray[np.float32]
) -> None:
    """Fill in missing joints where a heatmap's heat exceeds the tag's distance."""
    tag, width = _mean_tag(person), heat.shape[2]
    for joint in np.flatnonzero(person.scores == 0).tolist():
        cell, score = fields[joint].best_fit(tag)
        if score > 0:
            place = np.array([[cell % width, cell // width]])
            row[joint] = _refined(heat, np.array([joint]), place, np.array([score]))[0]


def _mean_tag(person: _Person) -> NDArray[np.float32]:
    mean: NDArray[np.float32] = np.mean(person.tags, axis=0)
    return mean


def _refined(
    heat: NDArray[np.float32],
    joints: NDArray[np.intp],
    cells: NDArray[np.intp],
    scores: NDArray[np.float32],
) -> NDArray[np.float32]:
    """Return points (M, 3) in the middle of cells (M, 2), a quarter nearer the higher neighbour."""
    x, y = cells.T
    _, height, width = heat.shape
    left, right = (
        heat[joints, y, np.maximum(x - 1, 0)],
        heat[joints, y, np.minimum(x + 1, width - 1)],
    )
    above, below = (
        heat[joints, np.maximum(y - 1, 0), x],
        heat[joints, np.minimum(y + 1, height - 1), x],
    )
    return np.stack(
        [
            x + _HALF + np.where(right > left, _SHIFT, -_SHIFT),
            y + _HALF + np.where(below > above, _SHIFT, -_SHIFT),
            scores,
        ],
        axis=-1,
    ).astype(np.float32)
