import numpy as np
import pytest

from predictions.answer import Answer, ClassScore, Segment
from predictions.detections import Detections
from predictions.only_classes import only_classes

FOUND = Detections(
    np.arange(12, dtype=np.float32).reshape(3, 4),
    np.array([0.9, 0.8, 0.7], np.float32),
    np.array([0, 1, 0], np.int32),
    ("person", "car"),
)
CLASSES = (ClassScore("car", 1, 0.6), ClassScore("person", 0, 0.4))
SEGMENTS = (
    Segment(1001, "person", 0, True, 2, (0, 0, 2, 1)),
    Segment(2001, "car", 1, True, 1, (2, 0, 3, 1)),
)


def test_all_classes_are_the_very_answer() -> None:
    answer = Answer(FOUND, CLASSES)
    assert only_classes("detect", answer, None) is answer


def test_rows_are_those_of_the_job_without_it_that_are_of_the_classes() -> None:
    kept = only_classes("detect", Answer(FOUND), ("person",)).detections
    assert kept is not None
    assert kept.scores.tolist() == FOUND.scores[[0, 2]].tolist()
    nothing = only_classes("detect", Answer(FOUND), ("boat",)).detections
    assert nothing is not None
    assert len(nothing) == 0
    assert only_classes("classify", Answer(classes=CLASSES), ("person",)).classes == CLASSES[1:]


def test_a_segmentations_map_stays_whole() -> None:
    mask = np.array([[0, 1, 1]], np.uint8)
    kept = only_classes("segment", Answer(classes=CLASSES, mask=mask), ("car",))
    assert kept.classes == CLASSES[:1]
    assert kept.mask is mask


def test_a_panoptic_map_has_only_the_segments_that_are_listed() -> None:
    ids = np.array([[1001, 1001, 2001, 0]], np.int32)
    kept = only_classes("panoptic", Answer(None, CLASSES, SEGMENTS, ids), ("car",))
    assert (kept.segments, kept.classes) == (SEGMENTS[1:], CLASSES[:1])
    assert kept.mask is not None
    assert kept.mask.dtype == np.int32
    assert kept.mask.tolist() == [[0, 0, 2001, 0]]
    assert ids[0, 0] == 1001


@pytest.mark.parametrize("task", ["keypoint", "ocr", "matting"])
def test_tasks_without_classes_of_their_own_keep_everything(task: str) -> None:
    answer = Answer(FOUND)
    assert only_classes(task, answer, ("car",)) is answer
