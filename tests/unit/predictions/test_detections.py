from typing import Any

import numpy as np
import pytest

from predictions.detections import Detections, label_of
from predictions.run_lengths import RunLengths


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


def test_labels_are_those_of_the_class_ids() -> None:
    boxes, scores, ids = np.zeros((2, 4)), np.zeros(2), np.array([1, 0])
    assert Detections(boxes, scores, ids, ("cat", "dog")).names == ["dog", "cat"]
    assert Detections(boxes, scores, ids).names == ["class 1", "class 0"]
    with pytest.raises(ValueError, match="outside of the 1 labels"):
        Detections(boxes, scores, ids, ("cat",))


@pytest.mark.parametrize(
    ("wrong", "what"),
    [
        ({"keypoints": np.zeros((2, 17, 2))}, "keypoints must be"),
        ({"keypoints": np.zeros((2, 51))}, "keypoints must be"),
        ({"keypoints": np.zeros((1, 17, 3))}, "1 keypoints for 2 rows"),
        ({"keypoints": np.full((2, 17, 3), np.nan)}, "finite"),
        ({"polygons": (np.zeros((3, 2)),)}, "1 polygons for 2 rows"),
        ({"polygons": (np.zeros((3, 2)), np.full((1, 2), np.inf))}, "finite"),
        ({"texts": ("a", "b", "c")}, "3 texts for 2 rows"),
        ({"track_ids": np.zeros(3)}, "3 track_ids for 2 rows"),
    ],
)
def test_further_columns_are_checked(wrong: dict[str, Any], what: str) -> None:
    with pytest.raises(ValueError, match=what):
        Detections(np.zeros((2, 4)), np.zeros(2), np.zeros(2), **wrong)


def test_every_column_stays_with_its_rows() -> None:
    found = Detections(
        np.arange(12).reshape(3, 4),
        np.array([0.1, 0.9, 0.5]),
        np.arange(3),
        ("a", "b", "c"),
        keypoints=np.arange(18).reshape(3, 2, 3),
        masks=tuple(RunLengths((1, 1), text) for text in "xyz"),
        polygons=tuple(np.full((1, 2), number) for number in range(3)),
        texts=("first", "second", "third"),
        track_ids=np.array([7, 8, 9]),
    )
    for two in (found.select(np.array([2, 0])), found.select(np.array([True, False, True]))):
        order = two.class_ids.tolist()
        assert two.names == ["abc"[number] for number in order]
        assert two.keypoints is not None
        assert two.keypoints[:, 0, 0].tolist() == [6 * number for number in order]
        assert two.masks == tuple(RunLengths((1, 1), "xyz"[number]) for number in order)
        assert two.polygons is not None
        assert [outline[0, 0] for outline in two.polygons] == order
        assert two.texts == tuple(("first", "second", "third")[number] for number in order)
        assert two.track_ids is not None
        assert two.track_ids.tolist() == [7 + number for number in order]
    twice = Detections.joined([found, found])
    assert twice.labels == found.labels
    assert twice.texts == (found.texts or ()) * 2
    assert twice.keypoints is not None
    assert twice.keypoints.shape == (6, 2, 3)
    assert twice.keypoints.flags.writeable is False
