import json
import re
from pathlib import Path

import cv2
import numpy as np
import pytest

from core.layout import is_ours
from core.work import Hold
from store.parts import encode_rows
from tests.bench import OPTIONS, Bench
from tests.unit.cli.conftest import Regatta
from tests.unit.cli.test_results import broken, found
from tests.unit.evaluation.conftest import coco

HOSTILE = "<script>alert(1)</script>\x1b.jpg"


@pytest.fixture
def job(bench: Bench) -> Hold:
    """Job `abc`: of three items one is in quarantine, and one has a name that wants to be HTML."""
    bench.job("abc", [3])
    hold = bench.run("abc")
    output = bench.output("abc")
    picture = cv2.imencode(".jpg", np.full((48, 64, 3), 90, np.uint8))[1].tobytes()
    output.put(f"annotated/{HOSTILE}.jpg", picture)
    rows = [found(0, HOSTILE, 0, 1), broken(1, "bad.jpg"), found(2, "other.jpg", 1)]
    output.put("results/part-000000.parquet", encode_rows(rows))
    bench.commit(hold, quarantined=1)
    bench.publish(hold)
    return hold


@pytest.fixture
def truth(tmp_path: Path) -> str:
    images = [
        {"id": n, "file_name": name, "width": 64, "height": 48}
        for n, name in enumerate((HOSTILE, "bad.jpg", "unknown.jpg"), 1)
    ]
    annotations = [
        {"id": 0, "image_id": 1, "category_id": 1, "bbox": [0, 0, 8.5, 8.5]},
        {"id": 1, "image_id": 1, "category_id": 1, "bbox": [30, 30, 9, 9]},
        {"id": 2, "image_id": 2, "category_id": 7, "bbox": [1, 1, 9, 9]},
    ]
    return coco(tmp_path, "The Truth!.json", images=images, annotations=annotations)


def test_numbers_are_printed_and_saved_with_a_page(
    bench: Bench, regatta: Regatta, job: Hold, truth: str
) -> None:
    done = regatta("eval", "abc", "--truth", truth, "--format", "table")
    assert done.exit_code == 0, done.stderr
    assert "2 of 3 pictures of the truth matched" in done.stdout
    assert re.search(r"^AP +0\.\d{4}  average precision of boxes", done.stdout, re.MULTILINE)
    assert "counts as missed" in " ".join(done.stdout.split())
    assert max(map(len, done.stdout.splitlines())) <= 80
    folder = bench.root / "abc" / "evaluation"
    assert sorted(path.name for path in folder.iterdir()) == ["the-truth.html", "the-truth.json"]
    assert done.stderr.split() == [
        (folder / name).as_uri() for name in ("the-truth.json", "the-truth.html")
    ]
    assert all(is_ours(f"evaluation/{path.name}") for path in folder.iterdir())
    again = regatta("eval", "abc", "--truth", truth)
    assert json.loads(again.stdout) == json.loads((folder / "the-truth.json").read_text())
    assert json.loads(again.stdout)["coverage"] == {
        "in_truth": 3,
        "matched": 2,
        "by_base_name": 0,
        "without_result": 1,
        "unknown": 1,
        "without_truth": 1,
    }


def test_the_page_is_one_file_that_shows_the_worst_pictures(
    bench: Bench, regatta: Regatta, job: Hold, truth: str
) -> None:
    (bench.root / "pages").mkdir()
    done = regatta("eval", "abc", "--truth", truth, "-o", "pages", "--name", "x")
    page = (bench.root / "pages" / "x.html").read_text(encoding="utf-8")
    assert done.exit_code == 0, done.stderr
    assert page.count("data:image/jpeg;base64,") == 1  # of the item in quarantine there is none
    assert "<script" not in page
    assert "&lt;script&gt;alert(1)&lt;/script&gt;\\x1b.jpg" in page
    assert "missed: boat" in page
    assert "1 picture could not be read" in page
    assert not re.findall(r'(?:src|href)="(?!data:|#)', page)


def test_what_a_job_blurred_is_not_shown(
    bench: Bench, regatta: Regatta, truth: str, tmp_path: Path
) -> None:
    options = OPTIONS.to_json() | {"redact": ["boat"]}
    source = tmp_path / "photos"
    source.mkdir()
    picture = cv2.imencode(".jpg", np.full((48, 64, 3), 90, np.uint8))[1].tobytes()
    (source / "bad.jpg").write_bytes(picture)
    for name, values in (("plain", {}), ("blurred", {"options": options})):
        bench.job(name, [1], source=f"{source}/", **values)
        hold = bench.run(name)
        bench.output(name).put("results/part-000000.parquet", encode_rows([broken(0, "bad.jpg")]))
        bench.commit(hold, quarantined=1)
        bench.publish(hold)
        assert regatta("eval", name, "--truth", truth, "--name", "x").exit_code == 0
        page = (bench.root / name / "evaluation" / "x.html").read_text(encoding="utf-8")
        assert page.count("data:image/jpeg;base64,") == (name == "plain")


@pytest.mark.parametrize(
    ("words", "code", "says"),
    [
        (("--fail-under", "0.9"), 1, "AP is 0."),
        (("--fail-under", "0.1"), 0, "the-truth.html"),
        (("--iou", "0.5:0.9"), 2, "is not FROM:TO:STEP"),
        (("--iou", "0.5,1.5"), 2, "is not between 0 and 1"),
        (("--map", "boat=van"), 2, "the truth has no class 'van'"),
        (("--kind", "masks"), 2, "m finds no masks"),
        (("--model", "other"), 2, "its results are of the models m"),
        (("--truth", "neither"), 2, "neither a file, nor a directory, nor a job"),
        (("--truth", "./gone"), 2, "there is no truth at"),
        (("--truth", "ab"), 0, "ab.html"),
        (("-o", "nowhere"), 2, "there is no directory 'nowhere'"),
        (("--name", "../x"), 2, "is no name"),
    ],
)
def test_answers_and_refusals(
    regatta: Regatta, job: Hold, truth: str, words: tuple[str, ...], code: int, says: str
) -> None:
    done = regatta("eval", "abc", "--truth", truth, *words)
    assert done.exit_code == code
    assert says in done.stderr


@pytest.mark.parametrize(
    ("text", "ious"),
    [("0.5", [0.5]), ("0.75,0.5", [0.5, 0.75]), ("0.5:0.7:0.1", [0.5, 0.6, 0.7])],
)
def test_thresholds(regatta: Regatta, job: Hold, truth: str, text: str, ious: list[float]) -> None:
    done = regatta("eval", "abc", "--truth", truth, "--iou", text)
    said = json.loads(done.stdout)["protocol"]["IoU"]
    assert said == ", ".join(f"{iou:.2f}" for iou in ious)


@pytest.mark.parametrize("form", ["coco", "yolo", "csv"])
def test_what_was_exported_is_a_truth_that_is_met(regatta: Regatta, job: Hold, form: str) -> None:
    made = regatta("export", "abc", "made", "--to", form, "--images", "leave")
    assert made.exit_code == 0, made.stderr
    place = "made/results.csv" if form == "csv" else "made"
    done = regatta("eval", "abc", "--truth", place)
    assert done.exit_code == 0, done.stderr
    measures = json.loads(done.stdout)["measures"]
    assert measures["AP"] == pytest.approx(1.0)
    assert (measures["precision"], measures["recall"]) == (1.0, 1.0)


@pytest.mark.parametrize("option", ["--fail-under", "--min-score", "--truth-score"])
def test_nan_is_no_threshold(regatta: Regatta, job: Hold, truth: str, option: str) -> None:
    done = regatta("eval", "abc", "--truth", truth, option, "nan")
    assert done.exit_code == 2
    assert f"Invalid value for '{option}': 'nan' is no number" in done.stderr
