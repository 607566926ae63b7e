import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from core.errors import UsageError
from evaluation.answers import Answers, read_answers
from evaluation.case import Protocol
from evaluation.evaluate import Question, evaluate, wanted_of
from evaluation.evaluation import Evaluation
from evaluation.metrics.segments import wrong_pixels
from evaluation.truth import Wanted
from evaluation.truths.answers import truth_of
from evaluation.truths.coco import read_coco
from evaluation.truths.opened import read_truth
from predictions.detections import Detections
from store.parts import ResultRow
from tests.unit.evaluation.conftest import answers, boxes, classes, coco, row, view


def measured(found: Answers, place: str, **asked: Any) -> Evaluation:
    truth = read_truth(place, found.task, wanted_of(found, asked.get("kind")))
    assert truth is not None
    return evaluate(found, truth, Question(**asked), job="j", name="n")


def values(found: Evaluation) -> dict[str, float | None]:
    return {one.name: one.value for one in found.scores.measures}


def test_what_was_found_is_measured_over_the_pictures_of_the_truth(
    found: Answers, tmp_path: Path
) -> None:
    result = measured(found, coco(tmp_path))
    got = values(result)
    assert got["AP"] == pytest.approx(1.0)  # although an annotation has the id 0
    assert (got["precision"], got["recall"], got["F1"]) == (1.0, 1.0, 1.0)
    assert "scores of 0.7 or more" in (result.scores.protocol or {})["precision, recall, F1"]
    assert result.coverage.matched == 2
    assert result.notes == ("items that the truth is not about: 1, left out",)
    everything = measured(found, coco(tmp_path), takes_all=True)
    assert values(everything)["precision"] == 0.75
    assert "counts as wrong" in everything.notes[0]


def test_a_lower_score_shows_what_is_wrong(found: Answers, tmp_path: Path) -> None:
    result = measured(found, coco(tmp_path), protocol=Protocol(score=0.1))
    assert values(result)["precision"] == 0.75
    [worst] = result.scores.worst
    assert worst.words == "2 right, 1 wrong, 0 missed"
    assert [mark.kind for mark in worst.marks] == ["hit", "hit", "right", "right", "wrong"]
    confusion = result.scores.confusion
    assert confusion is not None
    assert confusion.counts == ((2, 0, 0), (0, 1, 0), (1, 0, 0))


def test_items_in_quarantine_count_as_missed(tmp_path: Path) -> None:
    labels = ("boat", "buoy")
    first = boxes(((10, 10, 30, 30), 0.9, 0), ((50, 10, 70, 30), 0.8, 1), labels=labels)
    bad = ResultRow.quarantined(
        row(1, "b.jpg").item, task="detect", model="m", reason="truncated: here"
    )
    result = measured(answers([row(0, "a.jpg", detections=first), bad]), coco(tmp_path))
    assert values(result)["recall"] == pytest.approx(2 / 3)
    assert result.coverage.without_result == 1
    assert result.notes[0].startswith("pictures without a result (in quarantine, or skipped): 1;")
    assert result.scores.worst[0].words == "0 right, 0 wrong, 1 missed, no result"


def test_unknown_pictures_and_classes_are_named_and_counted(tmp_path: Path) -> None:
    found = answers(
        [row(0, "x/a.jpg", detections=boxes(((10, 10, 30, 30), 0.9, 0), labels=("Boot",)))]
    )
    result = measured(found, coco(tmp_path))
    notes = "\n".join(result.notes)
    assert "that the job has no row of: 1, left out (b.jpg)" in notes
    assert "classes of the truth that no result has: 2 (boat, buoy); they count as missed" in notes
    assert "did you mean 'Boot'? --map '...=boat' pairs them" in notes
    assert "the truth does not have: 1 (Boot), 1 detections: left out" in notes
    assert result.coverage.by_base_name == 1
    assert values(result)["recall"] == 0
    mapped = measured(found, coco(tmp_path), mapping={"Boot": "boat"})
    assert values(mapped)["recall"] == 0.5


def test_a_label_that_no_result_has_is_not_mapped_in_silence(
    found: Answers, tmp_path: Path
) -> None:
    result = measured(found, coco(tmp_path), mapping={"boaat": "boat"})
    assert "--map: no result has the class boaat" in result.notes


def test_a_truth_about_other_pictures_is_refused(found: Answers, tmp_path: Path) -> None:
    place = coco(tmp_path, images=[{"id": 1, "file_name": "q.jpg"}], annotations=[])
    with pytest.raises(UsageError, match="no picture of the truth is an item"):
        measured(found, place)


def test_crowds_make_nothing_wrong(found: Answers, tmp_path: Path) -> None:
    crowd = {"id": 9, "image_id": 1, "category_id": 1, "bbox": [0, 55, 20, 20], "iscrowd": 1}
    plain = json.loads(Path(coco(tmp_path)).read_text())["annotations"]
    result = measured(
        found, coco(tmp_path, annotations=[*plain, crowd]), protocol=Protocol(score=0.1)
    )
    assert values(result)["precision"] == 1.0
    assert result.scores.confusion is not None
    assert result.scores.confusion.counts[2] == (0, 0, 0)


def test_yolo_and_csv_give_the_same_numbers(found: Answers, tmp_path: Path) -> None:
    by_coco = values(measured(found, coco(tmp_path)))
    folder = tmp_path / "yolo"
    folder.mkdir()
    (folder / "classes.txt").write_text("boat\nbuoy\n")
    (folder / "a.txt").write_text("0 0.2 0.25 0.2 0.25\n1 0.6 0.25 0.2 0.25\n")
    (folder / "b.txt").write_text("0 0.3 0.375 0.6 0.75\n")
    assert values(measured(found, str(folder))) == pytest.approx(by_coco)
    table = tmp_path / "truth.csv"
    lines = ["a.jpg,boat,10,10,30,30", "a.jpg,buoy,50,10,70,30", "b.jpg,boat,0,0,60,60"]
    table.write_text("\n".join(["item,label,x1,y1,x2,y2", *lines]))
    assert values(measured(found, str(table))) == pytest.approx(by_coco)


def test_a_job_agrees_with_itself(found: Answers) -> None:
    result = evaluate(found, truth_of(found, "job x", 0.5), Question(), job="j", name="n")
    assert values(result)["AP"] == pytest.approx(1.0)
    assert result.coverage.matched == 3


def test_of_several_models_one_has_to_be_named() -> None:
    rows = [row(0, "a.jpg", model=model, detections=boxes(labels=("x",))) for model in ("m", "n")]
    with pytest.raises(UsageError, match="its results are of the models m, n"):
        read_answers([view(rows)], None)
    assert read_answers([view(rows)], "n").model == "n"
    with pytest.raises(UsageError, match="of the models m, n"):
        read_answers([view(rows)], "q")
    with pytest.raises(UsageError, match="no results yet"):
        read_answers([], None)


@pytest.mark.parametrize("task", ["classify", "segment", "ocr", "keypoint", "matting"])
def test_a_truth_of_another_kind_is_refused(tmp_path: Path, task: str) -> None:
    found = answers([row(0, "a.jpg", task)])
    place = coco(tmp_path) if task != "classify" else str(_maps(tmp_path / "m", {}))
    with pytest.raises(UsageError, match=r"measured|no truth about|no label files|has a `text`"):
        measured(found, place)


def test_poses_of_other_skeletons_have_sigmas_that_are_said(tmp_path: Path) -> None:
    points = np.array([[[10, 10, 2], [20, 20, 2], [30, 10, 2]]], np.float32)
    pose = replace(boxes(((5, 5, 35, 25), 0.9, 0), labels=("person",)), keypoints=points)
    annotation = {
        "id": 1,
        "image_id": 1,
        "category_id": 1,
        "bbox": [5, 5, 30, 20],
        "keypoints": points.ravel().tolist(),
        "num_keypoints": 3,
    }
    truth = coco(tmp_path, annotations=[annotation])  # whose class is called boat
    found = answers([row(0, "a.jpg", "keypoint", detections=pose)])
    result = measured(found, truth)
    assert values(result)["AP"] == pytest.approx(1.0)
    assert "0.066 for every joint" in (result.scores.protocol or {})["sigmas"]
    said = measured(found, truth, protocol=Protocol(sigmas=(0.1, 0.2, 0.3)))
    assert (said.scores.protocol or {})["sigmas"] == "0.1, 0.2, 0.3"
    with pytest.raises(UsageError, match="2 sigmas for 3 joints"):
        measured(found, truth, protocol=Protocol(sigmas=(0.1, 0.2)))
    other = replace(pose, keypoints=points[:, :2])
    with pytest.raises(UsageError, match="the truth has 3 joints, the model's poses have 2"):
        measured(answers([row(0, "a.jpg", "keypoint", detections=other)]), truth)


def _maps(folder: Path, maps: dict[str, Any]) -> Path:
    folder.mkdir(exist_ok=True)
    for name, pixels in maps.items():
        (folder / name).write_bytes(cv2.imencode(".png", np.array(pixels, np.uint8))[1].tobytes())
    return folder


def _segmented(tmp_path: Path, true: Any, said: Any) -> tuple[Answers, str]:
    output = _maps(tmp_path / "out", {"a.png": said})
    truth = _maps(tmp_path / "truth", {"a.jpg.png": true, "b.png": [[1, 1]]})
    rows = [
        row(0, "a.jpg", "segment", mask="a.png", classes=classes(("sea", 0.5), ("sky", 0.5))),
        ResultRow.quarantined(row(1, "b.jpg").item, task="segment", model="m", reason="x: y"),
    ]
    return answers(rows, output=str(output)), str(truth)


def test_label_maps_are_compared_pixel_by_pixel(tmp_path: Path) -> None:
    found, truth = _segmented(
        tmp_path, [[0, 0, 1, 255], [0, 1, 1, 3]], [[0, 1, 1, 1], [0, 1, 1, 1]]
    )
    result = measured(found, truth)
    # sea: 2 of 3 there, 2 found. sky: 3 of 3 there, and 2 of the other picture; 5 found.
    assert values(result) == {
        "mIoU": pytest.approx((2 / 3 + 3 / 7 + 0) / 3),
        "pixel_accuracy": pytest.approx(5 / 9),
        "mean_accuracy": pytest.approx((2 / 3 + 3 / 5 + 0) / 3),
    }
    assert [line[0] for line in result.scores.tables[0].rows] == ["sky", "sea", "class 3"]
    assert (result.scores.protocol or {})["ignored"] == "pixels of value 255: 1"
    assert [one.item for one in result.scores.worst] == ["b.jpg", "a.jpg"]
    mapped = measured(found, truth, mapping={"1": "3"})
    assert values(mapped)["pixel_accuracy"] == pytest.approx((2 + 1) / 9)
    with pytest.raises(UsageError, match="--map sky=1"):
        measured(found, truth, mapping={"sky": "1"})
    with pytest.raises(UsageError, match="--all means nothing to results of the task segment"):
        measured(found, truth, takes_all=True)


def test_pixels_are_wrong_in_a_picture_where_they_count_as_wrong(tmp_path: Path) -> None:
    found, truth = _segmented(tmp_path, [[0, 3, 255, 1]], [[0, 1, 1, 0]])
    [_, worst] = measured(found, truth, mapping={"1": "3"}).scores.worst
    assert worst.maps is not None
    assert wrong_pixels(worst.maps).tolist() == [[False, False, False, True]]


@pytest.mark.parametrize(
    ("true", "says"),
    [
        ([[0, 1]], "label map of a.jpg is 2x1 in the truth, 1x1 in the results"),
        ([[[0, 0, 0]]], "is no label map: its mode is RGB"),
    ],
)
def test_a_map_that_does_not_fit_is_named(tmp_path: Path, true: Any, says: str) -> None:
    found, truth = _segmented(tmp_path, true, [[0]])
    with pytest.raises(UsageError, match=says):
        measured(found, truth)
    (tmp_path / "truth" / "a.jpg.png").write_bytes(b"no picture")
    with pytest.raises(UsageError, match=r"a\.jpg\.png cannot be read as a label map"):
        measured(found, truth)


def test_classes_of_pictures(tmp_path: Path) -> None:
    rows = [
        row(0, "a.jpg", "classify", classes=classes(("sun", 0.9), ("rain", 0.1))),
        row(1, "b.jpg", "classify", classes=classes(("sun", 0.8), ("rain", 0.2))),
        row(2, "c.jpg", "classify", classes=classes(("snow", 0.7), ("rain", 0.2))),
    ]
    table = tmp_path / "truth.csv"
    table.write_text("item,label\na.jpg,sun\nb.jpg,rain\nc.jpg,rain\n")
    result = measured(answers(rows), str(table))
    # sun: one of one found, said twice; rain: none of two.
    assert values(result) == {
        "top1": pytest.approx(1 / 3),
        "top5": 1.0,
        "macro_F1": pytest.approx((2 / 3 + 0) / 2),
    }
    assert result.scores.confusion is not None
    assert result.scores.confusion.counts == ((1, 0, 0), (1, 0, 1))
    assert result.scores.worst[0].words == "sun 0.80; it is rain"
    table.write_text("item,label\na.jpg,sun\na.jpg,rain\nb.jpg,sun\nc.jpg,rain\n")
    with pytest.raises(UsageError, match="--all means nothing"):
        measured(answers(rows), str(table), takes_all=True)
    several = measured(answers(rows), str(table), protocol=Protocol(score=0.15))
    assert values(several)["macro_F1"] == pytest.approx((1.0 + 2 * 1 / (2 + 2)) / 2)


def _read(*lines: tuple[str, tuple[float, float, float, float]]) -> Detections:
    corners = [box for _, box in lines]
    found = boxes(*((box, 0.9, 0) for box in corners), labels=("text",))
    outlines = tuple(
        np.array([[x1, y1], [x2, y1], [x2, y2], [x1, y2]], np.float32) for x1, y1, x2, y2 in corners
    )
    return replace(found, texts=tuple(text for text, _ in lines), polygons=outlines)


def test_lines_of_text(tmp_path: Path) -> None:
    found = answers(
        [
            row(
                0,
                "a.jpg",
                "ocr",
                detections=_read(
                    ("START", (0, 0, 50, 10)),
                    ("lane S", (0, 20, 60, 30)),
                    ("ghost", (0, 60, 50, 70)),
                    ("noise", (1, 41, 49, 49)),
                ),
            ),
            row(1, "b.jpg", "ocr", detections=_read()),
        ]
    )
    table = tmp_path / "truth.csv"
    table.write_text(
        "item,text,x1,y1,x2,y2\na.jpg,START,0,0,50,10\na.jpg,lane 5,0,20,60,31\n"
        "a.jpg,###,0,40,50,50\nb.jpg,far,0,0,9,9\n"
    )
    got = values(measured(found, str(table)))
    assert got["reading_hmean"] == pytest.approx(2 * 1 / (3 + 3))
    assert got["finding_hmean"] == pytest.approx(2 * 2 / (3 + 3))
    assert got["CER"] == pytest.approx((1 + 5 + 3) / (5 + 6 + 3))  # edits, an invented, a missed
    assert got["WER"] == pytest.approx((1 + 1 + 1) / (1 + 2 + 1))
    assert got["CER_of_found"] == pytest.approx(1 / 11)
    table.write_text("item,text\nb.jpg,\na.jpg,START lane 5\n")
    whole = values(measured(found, str(table)))
    assert whole["accuracy"] == 0.5  # nothing is there, and nothing was read
    assert whole["CER"] == pytest.approx((1 + len(" ghost noise")) / len("START lane 5"))
    table.write_text("item,text\nb.jpg,\n")
    empty = values(measured(found, str(table)))
    assert (empty["accuracy"], empty["CER"], empty["WER"]) == (1.0, None, None)


def test_nothing_found_is_measured_too(tmp_path: Path) -> None:
    nothing = answers([row(0, "a.jpg", detections=boxes(labels=("boat",)))])
    assert values(measured(nothing, coco(tmp_path)))["AP"] == 0
    truth = read_coco(coco(tmp_path, annotations=[]), Wanted())
    empty = evaluate(nothing, truth, Question(), job="j", name="n")
    assert values(empty)["AP"] is None
    assert values(empty)["F1"] is None
