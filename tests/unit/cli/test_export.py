import json
from pathlib import Path

import pytest

from tests.bench import Bench
from tests.found import KEYS, LABELS, boxes, ended_job, hostile, row
from tests.unit.cli.conftest import Regatta


@pytest.fixture
def job(bench: Bench) -> None:
    ended_job(bench, hostile(), name="trip")


def test_what_was_exported_is_said(regatta: Regatta, job: None, bench: Bench) -> None:
    result = regatta("export", "trip", "set", "--to", "coco", "--images", "leave")
    assert result.exit_code == 0, result.stderr
    assert result.stdout == f"{bench.root}/set\n"
    assert result.stderr.splitlines() == [
        "job abc has not ended: this is what it found so far",
        "the files of the model 'm' are not there any more: its classes are those that rows have",
        f"{len(KEYS) + 1} images and 16 boxes of 6 classes as coco; images left where they are",
        "2 boxes clipped to their images, 1 dropped as empty",
        "1 item without a result left out",
    ]
    again = regatta("export", "trip", "set", "--to", "coco")
    assert again.exit_code != 0
    assert "--overwrite replaces it" in again.stderr


def test_classes_are_mapped_by_a_file_or_by_pairs(
    regatta: Regatta, bench: Bench, tmp_path: Path
) -> None:
    found = boxes([[1, 1, 9, 9]] * 3, [0, 1, 2], ("person", "car", LABELS[1]))
    ended_job(bench, [row(0, "a.jpg", found)])
    (tmp_path / "map.json").write_text(json.dumps({LABELS[1]: "x=1, y"}))
    (tmp_path / "map.toml").write_text('car = "vehicle"')
    for name, maps in (
        ("1.json", ["--map", "person=human,car=vehicle", "--map", "map.json"]),
        ("2.json", ["--map", "map.json", "--map", "map.toml", "--map", "person=human"]),
    ):
        result = regatta("export", "abc", name, "--to", "coco", *maps)
        assert result.exit_code == 0, result.stderr
        data = json.loads((bench.root / name).read_text())
        assert [one["name"] for one in data["categories"]] == ["human", "vehicle", "x=1, y"]
    regatta("export", "abc", "3.json", "--to", "coco", "--min-score", "1", "--min-score", "car=0.8")
    data = json.loads((bench.root / "3.json").read_text())
    assert [one["category_id"] for one in data["annotations"]] == [2]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--map", "person"], "'person' is no LABEL=NAME"),
        (["--map", "none.json"], "none.json cannot be read"),
        (["--map", "list.json"], "list.json is no object of texts"),
        (["--classes", ","], "--classes names no label"),
        (["--min-score", "high"], "'high' is no score"),
        (["--min-score", "=0.5"], "'=0.5' is no score"),
        (["--min-score", "nan"], "'nan' is no score"),
        (["--model", "other"], "no model 'other'"),
        (["--images", "copy"], "a single file holds no pictures"),
    ],
)
def test_slips(regatta: Regatta, job: None, bench: Bench, words: list[str], said: str) -> None:
    (bench.root / "list.json").write_text("[1]")
    result = regatta("export", "abc", "x.json", "--to", "coco", *words)
    assert result.exit_code != 0
    assert said in result.stderr
    assert not (bench.root / "x.json").exists()
