from typing import Any

import numpy as np
import pytest

from sample.score import agreement, class_ious, confusion, iou

BOX = (10.0, 10.0, 30.0, 20.0)


def truth(*things: tuple[int, tuple[float, float, float, float]]) -> dict[str, Any]:
    return {
        "categories": [{"id": 1, "name": "buoy"}, {"id": 2, "name": "gull"}],
        "images": [{"id": 7, "file_name": "a.jpg"}],
        "annotations": [
            {"image_id": 7, "category_id": kind, "bbox": [x1, y1, x2 - x1, y2 - y1]}
            for kind, (x1, y1, x2, y2) in things
        ],
    }


def row(*finds: tuple[str, float, tuple[float, ...]], item: str = "a.jpg") -> dict[str, Any]:
    found = [{"label": label, "score": score, "box": list(box)} for label, score, box in finds]
    return {"item": item, "detections": found}


def test_a_find_needs_the_class_and_half_of_the_place() -> None:
    things = truth((1, BOX))
    shifted = (13.0, 10.0, 33.0, 20.0)

    assert agreement(things, [row(("buoy", 0.9, shifted))]).hits == 1
    assert agreement(things, [row(("gull", 0.9, BOX))]).hits == 0
    assert agreement(things, [row(("buoy", 0.9, (22.0, 10.0, 42.0, 20.0)))]).hits == 0


def test_each_thing_is_found_once_by_the_surest() -> None:
    score = agreement(truth((1, BOX)), [row(("buoy", 0.5, BOX), ("buoy", 0.9, BOX))])

    assert (score.things, score.found, score.hits) == (1, 2, 1)
    assert (score.recall, score.precision) == (1.0, 0.5)


def test_files_without_truth_or_without_result_count_for_what_they_are() -> None:
    score = agreement(truth((1, BOX), (2, BOX)), [row(("buoy", 0.9, BOX), item="other.jpg")])
    assert (score.things, score.found, score.hits) == (2, 0, 0)

    failed = {"item": "a.jpg", "detections": None}
    assert agreement(truth((1, BOX)), [failed]).recall == 0
    assert agreement(truth(), []).precision == 0


def test_overlap_is_shared_area_over_all_area() -> None:
    assert iou(BOX, BOX) == 1
    assert iou(BOX, (30.0, 10.0, 40.0, 20.0)) == 0
    assert iou(BOX, (20.0, 10.0, 40.0, 20.0)) == pytest.approx(1 / 3)


def test_pixels_are_counted_by_what_they_are_and_were_found_to_be() -> None:
    nothing = np.zeros((0, 0), np.uint8)
    assert confusion(nothing, nothing, 3).tolist() == [[0, 0, 0]] * 3

    truth, found = np.array([[0, 0], [0, 1]], np.uint8), np.array([[0, 0], [2, 1]], np.uint8)
    counts = confusion(truth, found, 4)
    assert counts[0].tolist() == [2, 0, 1, 0]
    assert counts[1].tolist() == [0, 1, 0, 0]
    # The last class is neither there nor found, that before it was found where it is not.
    assert class_ious(counts).tolist() == pytest.approx([2 / 3, 1, 0, 1])
