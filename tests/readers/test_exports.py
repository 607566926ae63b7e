"""Exports, loaded by libraries of others: every box is where it was."""

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

from core.keys import key_to_text
from store.results import ResultRow
from tests import found
from tests.bench import MODEL, Bench
from tests.found import HEIGHT, LABELS, WIDTH, ended_job
from tests.readers.conftest import Export, Read

pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation")  # pycocotools

Box = list[Any]


def truth(rows: Iterable[ResultRow]) -> list[list[Box]]:
    """Return for each picture label, corners within it, and score of its boxes."""
    pictures = []
    for row in rows:
        if row.detections is not None:
            inside = np.clip(row.detections.xyxy, 0, [WIDTH, HEIGHT, WIDTH, HEIGHT])
            columns = (row.detections.names, inside.tolist(), row.detections.scores.tolist())
            pictures.append(
                [
                    [name, *box, score]
                    for name, box, score in zip(*columns, strict=True)
                    if box[2] > box[0] and box[3] > box[1]
                ]
            )
    return pictures


def compare(
    pictures: list[dict[str, Any]], expected: list[list[Box]], off: float, *, scores: bool
) -> None:
    assert len(pictures) == len(expected)
    for picture, boxes in zip(pictures, expected, strict=True):
        assert [one[0] for one in picture["boxes"]] == [one[0] for one in boxes]
        for one, box in zip(picture["boxes"], boxes, strict=True):
            assert one[1:5] == pytest.approx(box[1:5], abs=off)
            assert one[5] == (pytest.approx(box[5], abs=1e-6) if scores else None)


def test_globox_reads_coco(bench: Bench, export: Export, read: Read, tmp_path: Path) -> None:
    rows = found.hostile()
    job = ended_job(bench, rows, parts=2)
    export(job, "coco", "coco.json")
    pictures = read("with_globox.py", "coco", tmp_path / "coco.json")
    names = [key_to_text(row.item.key) for row in rows if row.detections is not None]
    assert [one["image"] for one in pictures] == names
    compare(pictures, truth(rows), 0.011, scores=True)
    export(job, "coco", "results", as_results=True)
    labels = json.dumps(dict(enumerate(LABELS, 1)))
    images = json.dumps(dict(enumerate(names, 1)))
    listed = read("with_globox.py", "results", tmp_path / "results/results.json", labels, images)
    compare(listed, [boxes for boxes in truth(rows) if boxes], 0.011, scores=True)


def test_globox_reads_cvat(bench: Bench, export: Export, read: Read, tmp_path: Path) -> None:
    rows = found.hostile()
    export(ended_job(bench, rows), "cvat", "cvat.xml")
    pictures = read("with_globox.py", "cvat", tmp_path / "cvat.xml")
    assert [one["size"] for one in pictures] == [[WIDTH, HEIGHT]] * len(pictures)
    compare(pictures, truth(rows), 0.006, scores=False)


def test_globox_reads_voc(bench: Bench, export: Export, read: Read, tmp_path: Path) -> None:
    rows = found.hostile()
    export(ended_job(bench, rows), "voc", "voc")
    listed = (tmp_path / "voc/ImageSets/Main/default.txt").read_text("utf-8").splitlines()
    order = sorted(range(len(listed)), key=lambda nr: Path(f"{listed[nr]}.xml"))
    pictures = read("with_globox.py", "voc", tmp_path / "voc/Annotations")
    expected = truth(rows)
    for picture in pictures:  # it takes the first column and row for 0
        picture["boxes"] = [[one[0], one[1] - 1, one[2] - 1, *one[3:]] for one in picture["boxes"]]
    compare(pictures, [expected[place] for place in order], 0.51, scores=False)


def test_globox_reads_yolo(bench: Bench, export: Export, read: Read, tmp_path: Path) -> None:
    rows = found.hostile()
    export(ended_job(bench, rows), "yolo", "yolo")
    files = sorted((tmp_path / "yolo/labels").rglob("*.txt"))
    names = [str(file.relative_to(tmp_path / "yolo/labels")) for file in files]
    sizes = json.dumps(dict.fromkeys(names, (WIDTH, HEIGHT)))
    pictures = read("with_globox.py", "yolo", tmp_path / "yolo/labels", sizes)
    assert len(pictures) == len(truth(rows))
    expected = sorted(box for boxes in truth(rows) for box in boxes)
    boxes = sorted([LABELS[int(b[0])], *b[1:]] for one in pictures for b in one["boxes"])
    for one, box in zip(boxes, expected, strict=True):
        assert one[0] == box[0]
        assert one[1:5] == pytest.approx(box[1:5], abs=0.001)


def test_label_studio_takes_every_prediction(
    bench: Bench, export: Export, read: Read, tmp_path: Path
) -> None:
    jobs = {
        "detect": found.hostile(),
        "keypoint": found.posed(),
        "ocr": found.read(),
        "classify": found.classified(),
        "segment": found.segmented(bench, "segment"),
    }
    for task, rows in jobs.items():
        model = {**MODEL.to_json(), "task": task}
        export(ended_job(bench, rows, job_id=task, model=model), "labelstudio", f"ls-{task}")
    export(ended_job(bench, found.masked(), job_id="masks"), "labelstudio", "ls-masks")
    folders = sorted(tmp_path.glob("ls-*"))
    objections = read("with_label_studio.py", *folders)
    assert objections == {str(folder): [] for folder in folders}


def test_pycocotools_finds_what_was_exported_where_it_is(
    bench: Bench, export: Export, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    kinds = {"bbox": found.hostile(), "segm": found.masked(), "keypoints": found.posed()}
    for kind, rows in kinds.items():
        task = "keypoint" if kind == "keypoints" else "detect"
        model = {**MODEL.to_json(), "task": task}
        job = ended_job(bench, rows, job_id=kind, model=model)
        export(job, "coco", f"{kind}.json")
        export(job, "coco", f"{kind}-results.json", as_results=True)
        data = COCO(str(tmp_path / f"{kind}.json"))
        evaluation = COCOeval(data, data.loadRes(str(tmp_path / f"{kind}-results.json")), kind)
        evaluation.evaluate()
        evaluation.accumulate()
        evaluation.summarize()
        assert evaluation.stats[0] == pytest.approx(1.0)
    capsys.readouterr()
