"""Grouping by tags, on pictures of which it is known who has which point."""

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment

from core.errors import BadInputError, FatalError
from vision.outputs.tag_grouping import group_by_tags

SIZE = (64, 96)
MOST = 8

Outputs = tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.float32], NDArray[np.int64]]


def outputs(heat: NDArray[np.float32], tags: NDArray[np.float32], most: int = MOST) -> Outputs:
    """What the end of the network makes of heatmaps (K,H,W) and tags (K,H,W,T): the best peaks."""
    around = np.pad(heat, ((0, 0), (2, 2), (2, 2)), constant_values=-np.inf)
    windows = np.lib.stride_tricks.sliding_window_view(around, (5, 5), axis=(1, 2))
    peaks = (heat * (heat == windows.max((3, 4)))).reshape(len(heat), -1)
    best = np.argsort(-peaks, axis=1, kind="stable")[:, :most]
    return heat[None], tags[None], np.take_along_axis(peaks, best, 1)[None], best[None]


def picture(people: list[list[tuple[int, int, float] | None]], tags: list[float]) -> Outputs:
    """Heatmaps with a bump for each point (x, y, score) of each person, and the people's tags."""
    rows, columns = np.indices(SIZE)
    heat = np.zeros((len(people[0]), *SIZE), np.float32)
    tag = np.full((*heat.shape, 1), -50, np.float32)
    for points, own in zip(people, tags, strict=True):
        for joint, point in enumerate(points):
            if point is None:
                continue
            x, y, score = point
            distance = (columns - x) ** 2 + (rows - y) ** 2
            heat[joint] = np.maximum(heat[joint], score * np.exp(-distance / 8))
            tag[joint, distance < 60, 0] = own
    return outputs(heat, tag)


def test_nobody() -> None:
    points, scores = group_by_tags(picture([[None] * 17], [0]))
    assert (points.shape, scores.shape) == ((0, 17, 3), (0,))


def test_two_people_get_their_own_points() -> None:
    first = [(10, 10, 0.9), (12, 30, 0.8), (14, 50, 0.7)]
    second = [(60, 12, 0.6), (62, 32, 0.9), (64, 52, 0.5)]
    points, scores = group_by_tags(picture([first, second], [1.0, 5.0]))
    # On a symmetrical bump no neighbour is higher: a quarter to the left of the cell's middle.
    expected = np.add([first, second], (0.25, 0.25, 0))
    assert points == pytest.approx(expected, abs=1e-5)
    assert scores == pytest.approx([0.8, 2 / 3], abs=1e-5)


def test_who_appears_late_is_somebody_new() -> None:
    first = [(10, 10, 0.9), (12, 30, 0.8)]
    second = [None, (62, 32, 0.9)]
    points, scores = group_by_tags(picture([first, second], [1.0, 5.0]))
    assert points[0, :, 2] == pytest.approx([0.9, 0.8])
    assert points[1, :, 2] == pytest.approx([0, 0.9])
    assert scores == pytest.approx([0.85, 0.45])


def test_an_uncertain_point_is_made_up_for() -> None:
    first = [(10, 10, 0.9), (12, 30, 0.15)]
    points, scores = group_by_tags(picture([first], [1.0]))
    assert points[0] == pytest.approx(np.add(first, (0.25, 0.25, 0)), abs=1e-5)
    assert scores == pytest.approx([0.45])


def test_a_point_with_a_far_tag_is_not_made_up() -> None:
    heat, tags, *_ = picture([[(10, 10, 0.9), None]], [1.0])
    heat[0, 1, 40, 40], tags[0, 1, 40, 40] = 0.19, 1.6
    points, _ = group_by_tags(outputs(heat[0], tags[0]))
    assert points[0, 1].tolist() == [0, 0, 0]


def test_neighbours_pull_and_the_rim_has_none() -> None:
    heat = np.zeros((2, *SIZE), np.float32)
    heat[0, 20, 30], heat[0, 20, 31], heat[0, 21, 30] = 0.9, 0.4, 0.3
    heat[1, 0, 0], heat[1, 0, 1], heat[1, 1, 0] = 0.8, 0.4, 0.3
    points, _ = group_by_tags(outputs(heat, np.zeros((2, *SIZE, 1), np.float32)))
    # A cell at the rim counts as its own neighbour, and that one is higher.
    assert points[0].tolist() == [
        pytest.approx([30.75, 20.75, 0.9]),
        pytest.approx([0.25, 0.25, 0.8]),
    ]


def nudged(heat: NDArray[np.float32], cell: int, score: float) -> list[float]:
    height, width = heat.shape
    y, x = divmod(cell, width)
    right, left = heat[y, min(x + 1, width - 1)], heat[y, max(x - 1, 0)]
    below, above = heat[min(y + 1, height - 1), x], heat[max(y - 1, 0), x]
    return [x + (0.75 if right > left else 0.25), y + (0.75 if below > above else 0.25), score]


class Somebody:
    """A person in the slow reading of the formula."""

    def __init__(self, key: float) -> None:
        self.key = key
        self.tags: list[NDArray[np.float32]] = []
        self.points: dict[int, tuple[int, float]] = {}

    def distance(self, tag: NDArray[np.float32]) -> NDArray[np.float32]:
        return np.sqrt(((tag - np.mean(self.tags, axis=0)) ** 2).sum(-1))


def owners(
    people: list[Somebody], found: list[tuple[NDArray[np.float32], float]]
) -> list[Somebody | None]:
    """Whose each of one joint's points (tag, score) is."""
    if not people:
        return [None] * len(found)
    cost = np.full((len(found), max(len(people), len(found))), 1e-10)
    for row, (tag, score) in enumerate(found):
        for column, person in enumerate(people):
            cost[row, column] = np.round(person.distance(tag)) * 100 - score
    chosen = dict(zip(*linear_sum_assignment(cost), strict=True))
    return [
        people[chosen[row]]
        if row in chosen and chosen[row] < len(people) and people[chosen[row]].distance(tag) < 1
        else None
        for row, (tag, _) in enumerate(found)
    ]


def step_by_step(given: Outputs) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """The published post-process, with loops over everything."""
    heat, tags, peaks, cells = (values[0] for values in given)
    people: list[Somebody] = []
    for joint in range(len(heat)):
        certain = [number for number in range(MOST) if peaks[joint, number] > 0.2]
        places = [int(cells[joint, number]) for number in certain]
        scores = [float(peaks[joint, number]) for number in certain]
        own = [tags[joint].reshape(-1, tags.shape[3])[place] for place in places]
        whose = owners(people[:MOST], list(zip(own, scores, strict=True)))
        for tag, place, score, owner in zip(own, places, scores, whose, strict=True):
            person = owner or next((one for one in people if one.key == tag[0]), None)
            if person is None:
                person = Somebody(tag[0])
                people.append(person)
            person.tags.append(tag)
            person.points[joint] = place, score

    found = np.zeros((len(people), len(heat), 3))
    for row, person in zip(found, people, strict=True):
        for joint, map_ in enumerate(heat):
            fit = map_ - np.round(person.distance(tags[joint]))
            if joint in person.points:
                row[joint] = nudged(map_, *person.points[joint])
            elif fit.max() > 0:
                row[joint] = nudged(map_, int(fit.argmax()), float(fit.max()))
    sums = [sum(score for _, score in person.points.values()) for person in people]
    return found, np.array(sums) / len(heat)


@pytest.mark.parametrize("seed", range(12))
@pytest.mark.parametrize("dimensions", [1, 2])
def test_a_crowd_is_grouped_as_the_formula_says(seed: int, dimensions: int) -> None:
    random = np.random.default_rng(seed)
    heat = random.uniform(-0.1, 0.15, (17, *SIZE)).astype(np.float32)
    tags = random.normal(0, 1.5, (17, *SIZE, dimensions)).astype(np.float32)
    for person in range(6):
        for joint in range(17):
            if random.random() < 0.3:
                continue
            x, y = random.integers(0, SIZE[1]), random.integers(0, SIZE[0])
            heat[joint, y, x] = random.uniform(0.15, 1)
            tags[joint, y, x] = 2 * person + random.normal(0, 0.35, dimensions)
    given = outputs(heat, tags)

    points, scores = group_by_tags(given)
    expected_points, expected_scores = step_by_step(given)
    assert len(points) >= 6
    assert points == pytest.approx(expected_points, abs=1e-4)
    assert scores == pytest.approx(expected_scores, abs=1e-5)


def test_other_outputs_are_named() -> None:
    heat, tags, peaks, cells = picture([[(10, 10, 0.9)]], [1.0])
    for wrong in (
        (),
        (heat, tags, peaks),
        (np.repeat(heat, 2, axis=0), tags, peaks, cells),
        (heat, tags[..., 0], peaks, cells),
        (heat, tags, peaks, cells.astype(np.float32)),
        (heat, tags, peaks, cells[..., :3]),
    ):
        with pytest.raises(FatalError, match="expected heatmaps"):
            group_by_tags(wrong)


def test_what_is_no_number_or_outside_is_no_answer() -> None:
    heat, tags, peaks, cells = picture([[(10, 10, 0.9)]], [1.0])
    for wrong in (
        (heat * np.float32(np.nan), tags, peaks, cells),
        (heat, tags + np.float32(np.inf), peaks, cells),
        (heat, tags, peaks, cells + SIZE[0] * SIZE[1]),
        (heat, tags, peaks, cells - SIZE[0] * SIZE[1]),
    ):
        with pytest.raises(BadInputError) as caught:
            group_by_tags(wrong)
        assert caught.value.reason == "model_output_invalid"
