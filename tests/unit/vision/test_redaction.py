"""What is blurred can't be brought back, and nothing else changes."""

import time

import cv2
import numpy as np
import pytest

from core.options import JobOptions
from predictions.answer import Answer, ClassScore, Segment
from predictions.detections import Detections
from vision.draw.by_task import draw
from vision.draw.redaction import redacted
from vision.rle import runs_of

LABELS = ("face", "car")


def noise(width: int, height: int) -> np.ndarray:
    return np.random.default_rng(3).integers(0, 256, (height, width, 3)).astype(np.uint8)


def found(*boxes: tuple[float, ...], classes: tuple[int, ...] = (0,), **more: object) -> Detections:
    return Detections(
        np.array(boxes, np.float32).reshape(-1, 4),
        np.full(len(boxes), 0.9, np.float32),
        np.array(classes[: len(boxes)], np.int32),
        LABELS,
        **more,  # type: ignore[arg-type]
    )


def blurred(image: np.ndarray, answer: Answer, task: str = "detect") -> np.ndarray:
    return redacted(image, [(task, answer)], ("face",))


def touched(image: np.ndarray, now: np.ndarray) -> np.ndarray:
    return np.asarray((image != now).any(axis=2))


@pytest.mark.parametrize("side", [6, 40, 300, 1500])
def test_a_box_of_any_size_keeps_a_few_means_only(side: int) -> None:
    image = noise(2000, 1800)
    before = image.copy()
    now = blurred(image, Answer(found((200, 150, 200 + side, 150 + side))))
    assert np.array_equal(image, before)
    inside = now[150 : 150 + side, 200 : 200 + side]
    assert touched(image, now)[150 : 150 + side, 200 : 200 + side].mean() > 0.99
    # Noise has lost its detail: what is left varies slowly, however large the box.
    steps = np.abs(np.diff(inside.astype(int), axis=0))
    assert np.percentile(steps, 99) < 60
    # The same picture again from thirty-six numbers: there is no more in it.
    few = cv2.resize(inside, (6, 6), interpolation=cv2.INTER_AREA) if side > 12 else inside
    again = cv2.resize(few, (side, side), interpolation=cv2.INTER_LINEAR)
    assert np.abs(again.astype(int) - inside).mean() < 12


def test_what_has_another_label_stays_and_so_does_the_rest() -> None:
    image = noise(400, 300)
    boxes = found((50, 60, 110, 130), (200, 60, 260, 130), classes=(0, 1))
    changed = touched(image, blurred(image, Answer(boxes)))
    assert changed[60:130, 50:110].mean() > 0.99
    assert not changed[:, 150:].any()
    assert not changed[200:].any()


def test_boxes_are_blurred_with_some_room_and_may_lie_across_the_edge() -> None:
    image = noise(400, 300)
    changed = touched(image, blurred(image, Answer(found((100, 100, 200, 200)))))
    assert changed[92:208, 92:208].mean() > 0.99
    assert touched(image, blurred(image, Answer(found((-50, -50, 30, 30)))))[:30, :30].mean() > 0.99
    assert not touched(image, blurred(image, Answer(found((500, 10, 600, 90))))).any()


def test_masks_are_blurred_within_their_shape_and_empty_ones_within_their_box() -> None:
    image, shape = noise(400, 300), np.zeros((300, 400), np.uint8)
    cv2.circle(shape, (200, 150), 60, 1, cv2.FILLED)
    box = (140, 90, 261, 211)
    round_ = found(box, masks=(runs_of(shape > 0),))
    changed = touched(image, blurred(image, Answer(round_)))
    assert changed[shape > 0].mean() > 0.99
    assert not changed[95, 142]
    empty = found(box, masks=(runs_of(np.zeros_like(shape) > 0),))
    assert touched(image, blurred(image, Answer(empty)))[shape > 0].mean() > 0.99


def test_maps_are_blurred_where_they_show_the_class() -> None:
    image, ids = noise(300, 200), np.zeros((200, 300), np.int32)
    ids[50:120, 40:100] = 1
    labels = Answer(
        classes=(ClassScore("car", 0, 0.9), ClassScore("face", 1, 0.1)), mask=ids.astype(np.uint8)
    )
    segment = Segment(1, "face", 0, True, 4200, (40, 50, 100, 120))
    for task, answer in (("segment", labels), ("panoptic", Answer(segments=(segment,), mask=ids))):
        changed = touched(image, blurred(image, answer, task))
        assert changed[ids > 0].mean() > 0.99
        assert not changed[:, 150:].any()


def test_lines_of_text_are_neither_shown_nor_written() -> None:
    image = noise(400, 300)
    quad = np.array([[50, 50], [250, 60], [250, 90], [50, 80]], np.float32)
    lines = Detections(
        np.array([[50, 50, 250, 90]], np.float32),
        np.array([0.9], np.float32),
        np.zeros(1, np.int32),
        ("text",),
        polygons=(quad,),
        texts=("AB 123",),
    )
    assert touched(image, redacted(image, [("ocr", Answer(lines))], ("text",)))[65, 100]
    options = JobOptions.of(max_pixels=1, max_item_bytes=1, jpeg_quality=90)
    shown = draw("ocr", image, Answer(lines), options.drawing)
    hidden = draw("ocr", image, Answer(lines), options.but(redact=("text",)).drawing)
    paper = shown.shape[1] // 2
    assert (shown[:, paper:] < 90).all(axis=2).sum() > (hidden[:, paper:] < 90).all(axis=2).sum()


def test_every_model_counts_and_order_does_not() -> None:
    image = noise(400, 300)
    first, second = found((10, 10, 60, 60)), found((200, 200, 260, 260))
    answers = [("detect", Answer(first)), ("keypoint", Answer(second))]
    now = redacted(image, answers, ("face",))
    assert np.array_equal(now, redacted(image, answers[::-1], ("face",)))
    assert touched(image, now)[30, 30]
    assert touched(image, now)[230, 230]


def test_a_small_thing_brings_nothing_back_of_a_large_one_around_it() -> None:
    image = noise(400, 300)
    large, small = (50, 50, 250, 250), (140, 140, 150, 150)
    alone = blurred(image, Answer(found(large)))
    for boxes in ((large, small), (small, large)):
        both = blurred(image, Answer(found(*boxes, classes=(0, 0))))
        assert np.array_equal(both, alone)
    speckled = np.zeros((300, 400), bool)
    speckled[50:250, 50:250] = True
    speckled[252, 150] = True  # a part of its own, within the other's room
    whole = speckled.copy()
    whole[252] = False
    masks = [found(large, masks=(runs_of(each),)) for each in (speckled, whole)]
    one, other = (blurred(image, Answer(each)) for each in masks)
    assert np.array_equal(one[50:250, 50:250], other[50:250, 50:250])


def test_a_mask_of_very_many_specks_is_blurred_as_one() -> None:
    image, mask = noise(600, 500), noise(600, 500)[:, :, 0] < 40
    people = found((0, 0, 600, 500), masks=(runs_of(mask),))
    started = time.process_time()
    changed = touched(image, blurred(image, Answer(people)))
    assert changed[mask].mean() > 0.99
    assert time.process_time() - started < 2  # each by itself, they would take ten times that
