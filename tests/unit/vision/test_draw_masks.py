from dataclasses import replace

import numpy as np
import pytest

from predictions.detections import Detections
from vision.draw.detections import draw_detections
from vision.draw.masks import paint_masks
from vision.palette import colour_of
from vision.rle import runs_of


def grey(*size: int) -> np.ndarray:
    return np.random.default_rng(1).integers(0, 256, (*size, 3)).astype(np.uint8)


def test_no_masks_change_nothing() -> None:
    image = grey(9, 7)
    painted = paint_masks(image, [], [], 0.5)
    assert (painted == image).all()
    assert not np.shares_memory(painted, image)


def test_a_pixel_is_covered_once_by_the_first_of_its_masks() -> None:
    image = grey(40, 50)
    first, second = np.zeros((2, 40, 50), bool)
    first[5:20, 5:30] = second[10:35, 20:45] = True
    painted = paint_masks(image, [runs_of(first), runs_of(second)], [3, 25], 0.25)

    expected = image.astype(float)
    for mask, class_id in ((second & ~first, 25), (first, 3)):
        expected[mask] = 0.75 * expected[mask] + 0.25 * np.array(colour_of(class_id))
    assert np.abs(painted - expected).max() <= 1
    assert (painted[~(first | second)] == image[~(first | second)]).all()


@pytest.mark.parametrize("filled", [True, False])
def test_a_single_pixel_is_painted(filled: bool) -> None:
    mask = runs_of(np.full((1, 1), filled))
    painted = paint_masks(grey(1, 1), [mask], [0], 1.0)
    assert (tuple(painted[0, 0].tolist()) == colour_of(0)) == filled


def test_masks_lie_under_boxes() -> None:
    image = np.full((200, 300, 3), 90, np.uint8)
    mask = np.zeros((200, 300), bool)
    mask[60:160, 50:250] = True
    found = Detections(
        np.array([[50, 60, 250, 160]], np.float32),
        np.array([0.8], np.float32),
        np.array([1], np.int32),
        ("a", "b"),
    )
    boxes = draw_detections(image, found)
    both = draw_detections(image, replace(found, masks=(runs_of(mask),)), 0.5)
    untouched = (boxes == image).all(axis=2)
    assert (both[~untouched] == boxes[~untouched]).all()
    assert (both[untouched & ~mask] == 90).all()
    assert both[110, 150] == pytest.approx((90 + np.array(colour_of(1))) / 2, abs=1)
