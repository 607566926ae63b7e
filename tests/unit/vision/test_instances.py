from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from core.errors import BadInputError, FatalError
from vision.outputs.instances import boxed_by_masks, read_instances, split_instances, split_segments
from vision.rle import box_around

FAKE_ROW = (0, 0, 0, 0, 1, 1)  # what Mask R-CNN's export says of an image without objects


def rows(*values: tuple[float, ...]) -> NDArray[np.float32]:
    return np.array(values, np.float32).reshape(-1, 6)


def canvases(count: int, height: int, width: int) -> NDArray[np.int32]:
    return np.full((count, height, width), -1, np.int32)


def test_an_image_without_objects_has_no_masks() -> None:
    for row, mask in ((FAKE_ROW, canvases(1, 5, 6)), ((-1, 0, 0, 0, 0, 0), canvases(1, 1, 1))):
        outputs = [rows(row), np.array([1], np.int32), mask]
        [found] = split_instances(outputs, [(5, 6)], 1)
        read = read_instances(found, threshold=0.0)
        assert len(read) == 0
        assert read.masks == ()


def test_no_rows_at_all_may_come_with_a_dummy_mask() -> None:
    outputs = [rows(), np.array([0, 0], np.int32), canvases(1, 1, 1)]
    found = split_instances(outputs, [(4, 4), (5, 5)], 2)
    assert [len(read_instances(one, threshold=0.0)) for one in found] == [0, 0]


def test_masks_of_a_batch_are_cut_to_their_images() -> None:
    # Pasted into canvases of the largest size, as MaskPostProcess does: -1 is outside of an image.
    masks = canvases(3, 6, 9)
    masks[:2, :6, :4] = 0
    masks[2, :3, :9] = 0
    masks[0, 1:3, 2] = masks[1, 5, :4] = masks[2, 2, 8] = 1
    boxes = rows((1, 0.5, 2, 1, 3, 3), (0, 0.9, 0, 5, 4, 6), (2, 0.7, 8, 2, 9, 3))
    outputs = [boxes, np.array([2, 1], np.int32), masks]

    tall, wide = (
        read_instances(one, threshold=0.1) for one in split_instances(outputs, [(6, 4), (3, 9)], 2)
    )
    assert tall.class_ids.tolist() == [0, 1]
    assert tall.masks is not None
    assert (tall.masks[0].decode() == (masks[1, :6, :4] == 1)).all()
    assert (tall.masks[1].decode() == (masks[0, :6, :4] == 1)).all()
    assert wide.masks is not None
    assert [(mask.size, box_around(mask)) for mask in wide.masks] == [((3, 9), (8, 2, 9, 3))]


def test_the_rows_of_a_padded_batch_are_left_out() -> None:
    outputs = [rows(*[(0, 0.9, 0, 0, 1, 1)] * 2), np.array([1, 1]), np.ones((2, 3, 3), np.int32)]
    assert len(split_instances(outputs, [(3, 3)], 2)) == 1


@pytest.mark.parametrize("masks", [[], [np.ones((1, 3, 3))], [np.ones((2, 3))]])
def test_rows_without_their_masks_are_refused(masks: list[Any]) -> None:
    outputs = [rows(*[(0, 0.9, 0, 0, 1, 1)] * 2), np.array([2]), *masks]
    with pytest.raises(FatalError, match="expected a mask"):
        split_instances(outputs, [(3, 3)], 1)


def solo(*objects: tuple[int, float, NDArray[np.uint8]]) -> list[NDArray[Any]]:
    """What SOLOv2 answers: the objects, and its dummy after them."""
    classes, scores, masks = zip(*objects, (0, np.nan, np.zeros((4, 5), np.uint8)), strict=True)
    return [
        np.stack(masks),
        np.array([len(masks)]),
        np.array(classes, np.int64),
        np.array(scores, np.float32),
    ]


def test_segments_are_objects_in_boxes_around_them() -> None:
    mask = np.zeros((4, 5), np.uint8)
    mask[1, 2:4] = mask[2, 2] = 1
    found = split_segments(solo((3, 0.5, mask), (1, 0.25, mask)), (4, 5))
    read = boxed_by_masks(read_instances(found, threshold=0.3))
    assert read.class_ids.tolist() == [3]
    assert read.xyxy.tolist() == [[2, 1, 4, 3]]
    assert read.masks is not None
    assert (read.masks[0].decode() == mask).all()


def test_paddle_3_exports_answer_the_masks_last() -> None:
    masks, _, *more = solo((3, 0.5, np.ones((4, 5), np.uint8)), (1, 0.25, np.eye(4, 5, dtype="u1")))
    found = split_segments([np.array(3), *more, masks], (4, 5))
    assert found.rows[:, 0].tolist() == [3, 1]
    assert found.rows[:, 1].tolist() == [0.5, 0.25]
    assert (found.masks == masks[:2]).all()


def test_the_dummy_segment_alone_is_nothing() -> None:
    for outputs in (solo(), [np.ones((1, 4, 5), np.uint8), *solo()[1:3], np.zeros(1, "f4")]):
        read = read_instances(split_segments(outputs, (4, 5)), threshold=0.0)
        assert len(boxed_by_masks(read)) == 0


def test_a_segment_of_no_score_is_no_answer() -> None:
    found = split_segments(solo((3, np.inf, np.ones((4, 5), np.uint8))), (4, 5))
    with pytest.raises(BadInputError, match="NaN or infinity"):
        read_instances(found, threshold=0.3)


def test_other_outputs_are_no_segments() -> None:
    with pytest.raises(FatalError, match="expected masks"):
        split_segments(solo()[:3], (4, 5))
    with pytest.raises(FatalError, match="2 classes and 1 scores for 1 masks"):
        split_segments([*solo()[:2], np.zeros(2, int), np.zeros(1)], (4, 5))
