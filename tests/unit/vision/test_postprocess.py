import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from core.errors import BadInputError, FatalError
from vision.outputs.postprocess import read_rows, split_rows


def rows(*values: tuple[float, ...]) -> np.ndarray:
    return np.array(values, np.float32).reshape(-1, 6)


def test_no_boxes_in_any_image() -> None:
    split = split_rows([np.empty((0, 6), np.float32), np.array([0, 0], np.int32)], 2)
    assert [len(part) for part in split] == [0, 0]
    assert len(read_rows(split[0], threshold=0.0)) == 0


@given(st.lists(st.integers(0, 5), min_size=1, max_size=8))
def test_every_row_goes_to_its_image_in_order(counts: list[int]) -> None:
    boxes = np.arange(sum(counts) * 6, dtype=np.float32).reshape(-1, 6)
    split = split_rows([boxes, np.array(counts, np.int32)], len(counts))
    assert [len(part) for part in split] == counts
    assert [row for part in split for row in part.tolist()] == boxes.tolist()


@given(
    arrays.arrays(np.float32, (20,), elements=st.floats(0, 1, width=32)),
    st.floats(0, 1, width=32),
)
def test_rows_are_cut_by_score_and_ranked(scores: np.ndarray, threshold: float) -> None:
    table = np.zeros((20, 6), np.float32)
    table[:, 1] = scores
    table[:, 0] = np.arange(20)
    found = read_rows(table, threshold=threshold)
    expected = sorted(
        ((score, row) for row, score in enumerate(scores.tolist()) if score > threshold),
        key=lambda pair: (-pair[0], pair[1]),
    )
    assert found.class_ids.tolist() == [row for _, row in expected]


def test_columns_are_class_score_and_box() -> None:
    found = read_rows(rows((3, 0.75, 10, 20, 30, 40)), threshold=0.5)
    assert found.class_ids.tolist() == [3]
    assert found.scores.tolist() == [0.75]
    assert found.xyxy.tolist() == [[10, 20, 30, 40]]


def test_boxes_over_the_edge_stay_as_the_model_said() -> None:
    found = read_rows(rows((0, 0.9, -5, -6, 5000, 6000)), threshold=0.5)
    assert found.xyxy.tolist() == [[-5, -6, 5000, 6000]]


def test_the_row_that_stands_for_nothing_found_is_dropped() -> None:
    assert len(read_rows(rows((-1, 0.9, 0, 0, 0, 0)), threshold=0.0)) == 0


def test_a_graph_without_row_counts_answers_for_one_image() -> None:
    boxes = rows((0, 0.9, 1, 2, 3, 4), (1, 0.8, 1, 2, 3, 4))
    assert [len(part) for part in split_rows([boxes], 1)] == [2]
    with pytest.raises(FatalError, match="row counts for 2 images"):
        split_rows([boxes], 2)


def test_half_precision_boxes_are_read() -> None:
    (part,) = split_rows([rows((0, 0.5, 1, 2, 3, 4)).astype(np.float16), np.array([1])], 1)
    assert part.dtype == np.float32
    assert part.tolist() == [[0, 0.5, 1, 2, 3, 4]]


@pytest.mark.parametrize("broken", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("column", range(6))
def test_an_overflow_is_not_an_empty_image(broken: float, column: int) -> None:
    table = rows((0, 0.9, 1, 2, 3, 4), (0, 0.1, 1, 2, 3, 4))
    table[1, column] = broken
    with pytest.raises(BadInputError, match="1 of the model's 2 rows") as caught:
        read_rows(table, threshold=0.5)
    assert caught.value.reason == "model_output_invalid"


@pytest.mark.parametrize(
    "outputs",
    [
        [],
        [np.zeros((2, 10), np.float32), np.array([2])],
        [np.zeros((1, 2, 6), np.float32), np.array([2])],
        [np.zeros((2, 6), np.int32), np.array([2])],
        [np.zeros((2, 6), np.float32), np.array([2.0])],
        [np.zeros((2, 6), np.float32), np.array([[2]])],
        [np.zeros((2, 6), np.float32), np.array([3])],
        [np.zeros((2, 6), np.float32), np.array([1, 1])],
        [np.zeros((2, 6), np.float32), np.array([-1, 3])],
    ],
)
def test_other_outputs_are_fatal_and_say_what_was_expected(outputs: list[np.ndarray]) -> None:
    with pytest.raises(FatalError, match="expected"):
        split_rows(outputs, 1)
