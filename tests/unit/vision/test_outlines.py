import cv2
import numpy as np
import pytest

from vision.regions import outlines


def test_a_map_of_background_has_none() -> None:
    assert outlines(np.zeros((8, 9), np.uint8), background=0) == []


def test_a_rectangle_has_its_corners_on_the_edges_of_pixels() -> None:
    labels = np.zeros((20, 30), np.uint8)
    labels[5:15, 10:30] = 3
    [found] = outlines(labels, background=0)
    assert found.class_id == 3
    assert found.area == 200
    assert sorted(map(tuple, found.polygon.tolist())) == [(10, 5), (10, 15), (30, 5), (30, 15)]


def test_regions_come_the_largest_first_and_specks_not_at_all() -> None:
    labels = np.ones((40, 40), np.uint8)
    labels[2:8, 2:8] = 2
    labels[20:32, 20:32] = 2
    labels[36, 36] = 5
    found = outlines(labels, background=None)
    assert [(one.class_id, one.area) for one in found] == [(1, 1600), (2, 144), (2, 36)]


@pytest.mark.parametrize("seed", range(5))
def test_an_outline_covers_its_region(seed: int) -> None:
    rng = np.random.default_rng(seed)
    labels = np.zeros((120, 160), np.uint8)
    points = cv2.convexHull(rng.integers(10, 110, (12, 2)).astype(np.int32))
    cv2.fillPoly(labels, [points], 1)
    [found] = outlines(labels, background=0)
    assert len(found.polygon) < 30
    canvas = np.zeros((480, 640), np.uint8)
    cv2.fillPoly(canvas, [np.rint(4 * found.polygon).astype(np.int32)], 1)
    drawn = cv2.resize(canvas, (160, 120), interpolation=cv2.INTER_AREA)
    inside, outside = labels > 0, labels == 0
    share = (drawn[inside] > 0).mean() - (drawn[outside] > 0).mean()
    assert share > 0.97
