from typing import Any

import numpy as np
import pytest

from predictions.answer import Answer, ClassScore
from predictions.detections import Detections
from vision.rle import runs_of
from worker.ways.likeness import LIMITS, finds_something, raw_differences, result_differences

THRESHOLD = 0.5


def found(*rows: tuple[float, float, int], **columns: Any) -> Answer:
    """An answer with squares at x, of a score and a class."""
    boxes = np.array([[x, 0, x + 10, 10] for x, _, _ in rows], np.float32).reshape(-1, 4)
    scores = np.array([score for _, score, _ in rows], np.float32)
    classes = np.array([number for _, _, number in rows], np.int32)
    return Answer(Detections(boxes, scores, classes, ("a", "b"), **columns))


def differences(plain: Answer, other: Answer) -> dict[str, float]:
    return result_differences(plain, other, THRESHOLD)


def is_alike(plain: Answer, other: Answer) -> bool:
    both = [differences(plain, other), differences(other, plain)]
    alike = [all(value <= LIMITS[kind] for kind, value in one.items()) for one in both]
    assert alike[0] == alike[1], "neither of the two is special"
    return alike[0]


def test_outputs_differ_by_a_part_of_their_largest_value() -> None:
    plain = [np.array([[0.0, -200.0]], np.float32), np.array([3, 4, 5, 6])]
    assert raw_differences(plain, plain) == {"raw": 0, "labels": 0}
    other = [np.array([[1.0, -200.0]], np.float32), np.array([3, 4, 5, 7])]
    assert raw_differences(plain, other) == {"raw": pytest.approx(0.005), "labels": 0.25}


def test_one_number_of_thousands_may_be_another() -> None:
    plain = np.ones(4000, np.float32)
    few, many = plain.copy(), plain.copy()
    few[:3] = 0
    many[:5] = 0
    assert raw_differences([plain], [few]) == {"raw": 0}
    assert raw_differences([plain], [many]) == {"raw": 1}


@pytest.mark.parametrize(
    "other", [np.zeros((2, 6), np.float32), np.array([[np.nan]], np.float32)], ids=["shape", "nan"]
)
def test_what_cannot_be_compared_differs_infinitely(other: Any) -> None:
    assert raw_differences([np.ones((1, 1), np.float32)], [other]) == {"raw": np.inf}


def test_outputs_without_values_are_alike() -> None:
    nothing = np.empty((0, 6), np.float32)
    assert raw_differences([nothing], [nothing.copy()]) == {"raw": 0}


def test_the_worst_output_counts() -> None:
    one, two = np.ones(3, np.float32), np.zeros(3, np.float32)
    assert raw_differences([one, one], [two, one]) == {"raw": 1}


def test_boxes_are_alike_within_a_pixel_and_a_hundredth() -> None:
    plain = found((0, 0.9, 0), (50, 0.8, 1))
    assert is_alike(plain, found((50.9, 0.805, 1), (0.2, 0.895, 0)))
    assert not is_alike(plain, found((0, 0.9, 0), (51.1, 0.8, 1)))
    assert not is_alike(plain, found((0, 0.9, 0), (50, 0.82, 1)))
    assert not is_alike(plain, found((0, 0.9, 0), (50, 0.8, 0)))
    assert not is_alike(plain, found((0, 0.9, 0)))
    assert not is_alike(plain, found())


def test_two_boxes_are_not_found_by_one() -> None:
    assert not is_alike(found((0, 0.9, 0), (0.4, 0.9, 0)), found((0.2, 0.9, 0)))


def test_what_is_barely_found_need_not_be_found_twice() -> None:
    assert is_alike(found((0, 0.9, 0), (50, 0.509, 1)), found((0, 0.9, 0)))
    assert not is_alike(found((0, 0.9, 0), (50, 0.511, 1)), found((0, 0.9, 0)))


def test_one_of_a_hundred_may_be_another() -> None:
    rows = [(20.0 * n, 0.9, 0) for n in range(100)]
    assert is_alike(found(*rows), found(*rows[1:]))
    assert not is_alike(found(*rows), found(*rows[3:]))


def test_keypoints_that_are_shown_count() -> None:
    points = np.array([[[5, 5, 0.9], [7, 7, 0.1]]], np.float32)
    plain = found((0, 0.9, 0), keypoints=points)
    hidden, shown = points.copy(), points.copy()
    hidden[0, 1, 0] += 5
    shown[0, 0, 1] += 1.1
    assert is_alike(plain, found((0, 0.9, 0), keypoints=hidden))
    assert differences(plain, found((0, 0.9, 0), keypoints=shown))["keypoints"] == 1


def test_texts_and_masks_of_what_is_found() -> None:
    mask = np.zeros((40, 40), np.bool_)
    mask[:10, :10] = True
    larger = mask.copy()
    larger[10, :10] = True

    def with_mask(pixels: Any, text: str) -> Answer:
        return found((0, 0.9, 0), masks=(runs_of(pixels),), texts=(text,))

    plain = with_mask(mask, "REGATTA")
    assert is_alike(plain, with_mask(mask.copy(), "REGATTA"))
    assert not is_alike(plain, with_mask(larger, "REGATTA"))
    assert differences(plain, with_mask(larger, "REGATTA"))["masks"] == 10 / 1600
    assert not is_alike(plain, with_mask(mask, "REGATA"))


def test_maps_are_compared_by_the_pixel() -> None:
    labels = np.zeros((100, 100), np.uint8)
    labels[:50] = 1
    few, many = labels.copy(), labels.copy()
    few[99, :10] = 2
    many[99, :11] = 2

    def mapped(pixels: Any) -> Answer:
        shares = (ClassScore("water", 0, 0.5), ClassScore("sky", 1, 0.5))
        return Answer(classes=shares, mask=pixels)

    assert is_alike(mapped(labels), mapped(few))
    assert not is_alike(mapped(labels), mapped(many))
    assert finds_something(mapped(labels), 0)
    assert not finds_something(mapped(np.zeros_like(labels)), 0)


def test_an_alpha_may_be_off_by_two_steps() -> None:
    alpha = np.full((10, 10), 100, np.uint8)
    alpha[5:] = 255
    near, far = alpha.copy(), alpha.copy()
    near[:5], far[:5] = 102, 97
    assert is_alike(Answer(mask=alpha), Answer(mask=near))
    assert not is_alike(Answer(mask=alpha), Answer(mask=far))


def test_classes_are_compared_by_the_best() -> None:
    def classified(*scores: float) -> Answer:
        ranked = sorted(enumerate(scores), key=lambda one: -one[1])
        classes = tuple(ClassScore(str(n), n, score) for n, score in ranked)
        return Answer(classes=classes)

    assert is_alike(classified(0.6, 0.4), classified(0.55, 0.45))
    assert is_alike(classified(0.502, 0.498), classified(0.498, 0.502))
    assert not is_alike(classified(0.6, 0.4), classified(0.4, 0.6))
    assert differences(classified(0.6, 0.4), Answer(classes=())) == {"classes": 1}
    assert finds_something(classified(0.6), THRESHOLD)


def test_nothing_and_what_is_barely_found_tell_nothing() -> None:
    assert finds_something(found((0, 0.6, 0)), THRESHOLD)
    assert not finds_something(found((0, 0.505, 0)), THRESHOLD)
    assert not finds_something(found(), THRESHOLD)
    assert not finds_something(Answer(classes=()), THRESHOLD)
