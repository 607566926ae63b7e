import numpy as np
import pytest

from vision.detections import Detections, label_of


def detections(*scores: float) -> Detections:
    count = len(scores)
    boxes = np.arange(count * 4, dtype=np.float32).reshape(count, 4)
    return Detections(boxes, np.array(scores, np.float32), np.arange(count, dtype=np.int32))


def test_nothing_found_is_an_answer() -> None:
    nothing = Detections.empty()
    assert len(nothing) == 0
    assert nothing.xyxy.shape == (0, 4)
    assert len(nothing.by_score()) == 0


def test_columns_have_their_types_whatever_they_were_made_from() -> None:
    made = Detections([[1, 2, 3, 4]], [0.5], [7])  # type: ignore[arg-type]
    columns = (made.xyxy, made.scores, made.class_ids)
    assert [column.dtype.name for column in columns] == ["float32", "float32", "int32"]


def test_columns_cannot_be_written_and_the_callers_stay_writable() -> None:
    boxes = np.zeros((1, 4), np.float32)
    made = Detections(boxes, np.ones(1, np.float32), np.zeros(1, np.int32))
    with pytest.raises(ValueError, match="read-only"):
        made.xyxy[0, 0] = 1
    boxes[0, 0] = 1


def test_a_mask_and_indices_select_rows() -> None:
    three = detections(0.1, 0.2, 0.3)
    assert three.select(np.array([True, False, True])).class_ids.tolist() == [0, 2]
    assert three.select(np.array([2, 0])).class_ids.tolist() == [2, 0]
    assert three.select(np.array([2, 0])).xyxy.tolist() == [[8, 9, 10, 11], [0, 1, 2, 3]]


def test_equal_scores_keep_their_order() -> None:
    assert detections(0.5, 0.9, 0.5, 0.9).by_score().class_ids.tolist() == [1, 3, 0, 2]


@pytest.mark.parametrize(
    ("xyxy", "scores", "class_ids", "what"),
    [
        (np.zeros((1, 5)), np.zeros(1), np.zeros(1), "columns"),
        (np.zeros((2, 4)), np.zeros(1), np.zeros(1), "columns"),
        (np.zeros((1, 4)), np.zeros((1, 1)), np.zeros(1), "columns"),
        (np.zeros((1, 4)), np.zeros(1), np.zeros(2), "columns"),
        (np.full((1, 4), np.nan), np.zeros(1), np.zeros(1), "finite"),
        (np.zeros((1, 4)), np.full(1, np.inf), np.zeros(1), "finite"),
        (np.zeros((1, 4)), np.zeros(1), np.full(1, -1), "class ids"),
    ],
)
def test_what_no_detection_can_be_is_refused(
    xyxy: np.ndarray, scores: np.ndarray, class_ids: np.ndarray, what: str
) -> None:
    with pytest.raises(ValueError, match=what):
        Detections(xyxy, scores, class_ids)


def test_a_class_outside_the_label_list_has_a_number_for_a_name() -> None:
    assert label_of(["cat", "dog"], 1) == "dog"
    assert label_of(["cat", "dog"], 2) == "class 2"
