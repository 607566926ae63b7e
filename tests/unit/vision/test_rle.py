import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from predictions.detections import Detections
from predictions.run_lengths import RunLengths
from vision.rle import area, box_around, placed, runs_of

MASKS = arrays.arrays(np.bool_, st.tuples(st.integers(1, 12), st.integers(1, 12)))


@pytest.mark.parametrize("filled", [True, False])
def test_a_single_pixel_is_a_mask(filled: bool) -> None:
    mask = runs_of(np.full((1, 1), filled))
    assert mask.decode().tolist() == [[filled]]
    assert area(mask) == filled
    assert box_around(mask) == (0, 0, int(filled), int(filled))


def test_the_text_is_that_of_coco() -> None:
    # Down the columns: 2 outside, 3 inside, 1 outside, each a letter from "0" on.
    mask = np.array([[0, 1, 1], [0, 1, 0]])
    assert runs_of(mask) == RunLengths((2, 3), "231")


def test_long_runs_and_shorter_ones_after_them_are_read() -> None:
    mask = np.zeros((3000, 70), bool)
    mask[:, 3:50] = True
    mask[5:9, 51:60] = mask[2999, 69] = True
    assert (runs_of(mask).decode() == mask).all()


@given(MASKS)
def test_pixels_come_back_and_are_counted(mask: np.ndarray) -> None:
    found = runs_of(mask)
    assert (found.decode() == mask).all()
    assert area(found) == mask.sum()
    inside = [place for start, end in found.runs().tolist() for place in range(start, end)]
    assert inside == np.flatnonzero(mask.T).tolist()
    rows, columns = np.nonzero(mask)
    if len(rows):
        expected = (columns.min(), rows.min(), columns.max() + 1, rows.max() + 1)
        assert box_around(found) == expected


@given(
    MASKS,
    st.tuples(st.integers(1, 20), st.integers(1, 20)),
    st.tuples(st.integers(0, 9), st.integers(0, 9)),
)
def test_a_mask_is_placed_in_another_size(
    mask: np.ndarray, size: tuple[int, int], corner: tuple[int, int]
) -> None:
    x, y = corner
    expected = np.zeros((50, 50), bool)
    expected[y : y + mask.shape[0], x : x + mask.shape[1]] = mask
    assert placed(runs_of(mask), size, x, y) == runs_of(expected[: size[0], : size[1]])


def test_masks_stay_with_their_rows() -> None:
    masks = tuple(runs_of(np.arange(4).reshape(2, 2) == number) for number in range(3))
    found = Detections(
        np.zeros((3, 4), np.float32),
        np.array([0.1, 0.9, 0.5], np.float32),
        np.zeros(3, np.int32),
        masks=masks,
    )
    assert found.by_score().masks == (masks[1], masks[2], masks[0])
    assert found.select(found.scores > 0.3).masks == masks[1:]
    assert found.select(np.zeros(3, bool)).masks == ()
    assert Detections.joined([found, found]).masks == masks * 2
    assert Detections.joined([found, Detections.empty()]).masks is None
    with pytest.raises(ValueError, match="2 masks for 3 rows"):
        Detections(found.xyxy, found.scores, found.class_ids, masks=masks[:2])
