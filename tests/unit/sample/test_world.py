from itertools import pairwise

import numpy as np
import pytest

from sample.labels import GROUNDS, LABELS, ROWER
from sample.scene import Scene
from sample.world import LEAST_VISIBLE, new_world

SEEDS = range(12)


@pytest.fixture(scope="module")
def scenes() -> list[Scene]:
    return [new_world(seed).scene() for seed in SEEDS]


def test_the_same_seed_draws_the_same_pixels_and_another_seed_others() -> None:
    first, again, other = (new_world(seed, (320, 240)).scene() for seed in (3, 3, 4))

    assert np.array_equal(first.image, again.image)
    assert np.array_equal(first.owners, again.owners)
    assert not np.array_equal(first.image, other.image)


def test_every_box_is_exactly_around_its_mask(scenes: list[Scene]) -> None:
    for scene in scenes:
        assert scene.owners.max() == len(scene.things)
        for place, thing in enumerate(scene.things):
            rows, columns = np.nonzero(scene.mask(place))
            around = (columns.min(), rows.min(), columns.max() + 1, rows.max() + 1)
            assert thing.box == around
            assert LEAST_VISIBLE <= thing.visible <= 1


def test_every_label_and_every_ground_occurs(scenes: list[Scene]) -> None:
    assert {thing.label for scene in scenes for thing in scene.things} == set(LABELS)
    for scene in scenes:
        assert set(np.unique(scene.grounds)) == set(range(len(GROUNDS)))


def test_rowers_and_only_they_have_joints_and_those_that_are_seen_lie_on_them(
    scenes: list[Scene],
) -> None:
    seen = 0
    for scene in scenes:
        for place, thing in enumerate(scene.things):
            assert (thing.joints is not None) == (thing.label == ROWER)
            if thing.joints is None:
                continue
            assert thing.joints.shape == (17, 3)
            for x, y, state in thing.joints:
                if state == 2:
                    assert scene.owners[int(np.floor(y)), int(np.floor(x))] == place + 1
                    seen += 1
    assert seen > 100


def test_names_are_painted_on_hulls(scenes: list[Scene]) -> None:
    names = [
        (scene, place, thing.name)
        for scene in scenes
        for place, thing in enumerate(scene.things)
        if thing.name is not None and thing.name.visible > 0.9
    ]
    assert len(names) > 5
    for scene, place, name in names:
        x, y = np.floor(name.quad.mean(0)).astype(int)
        assert scene.owners[y, x] == place + 1
        wide, high = (np.linalg.norm(name.quad[i] - name.quad[i + 1]) for i in (0, 1))
        assert wide > high > 0


def test_a_sequence_moves_and_keeps_its_tracks() -> None:
    frames = list(new_world(2, (320, 240)).frames(6, per_second=5.0))
    tracks = [{thing.track: thing for thing in frame.things} for frame in frames]

    for before, after in pairwise(tracks):
        assert before.keys() & after.keys()
        for track in before.keys() & after.keys():
            assert before[track].label == after[track].label
    stayed = tracks[0].keys() & tracks[-1].keys()
    assert any(tracks[0][track].box != tracks[-1][track].box for track in stayed)
    assert not np.array_equal(frames[0].image, frames[1].image)


@pytest.mark.parametrize("size", [(64, 48), (200, 600), (1200, 300)])
def test_any_size_and_shape_can_be_drawn(size: tuple[int, int]) -> None:
    scene = new_world(1, size).scene()

    assert scene.image.shape == (size[1], size[0], 3)
    assert scene.owners.shape == scene.grounds.shape == (size[1], size[0])


def test_things_are_as_large_as_a_part_of_the_picture_at_any_size() -> None:
    small, large = (new_world(5, size).scene() for size in ((320, 240), (960, 720)))
    boxes = [
        {thing.track: np.array(thing.box) for thing in scene.things} for scene in (small, large)
    ]

    both = boxes[0].keys() & boxes[1].keys()
    assert both
    for track in both:
        assert boxes[1][track] / 3 == pytest.approx(boxes[0][track], abs=2.5)
