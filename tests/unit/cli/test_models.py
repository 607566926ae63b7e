import json
from pathlib import Path

import pytest

from tests.bench import Bench
from tests.unit.cli.conftest import Regatta


def add(regatta: Regatta, model: Path, name: str = "boats") -> None:
    result = regatta("models", "add", name, str(model))
    assert result.exit_code == 0, result.stderr
    assert result.stdout == f"{name}\n"


def test_add_list_show_remove(bench: Bench, regatta: Regatta, model: Path) -> None:
    add(regatta, model)
    assert "boats" in regatta("models", "list", "--format", "table").stdout
    shown = json.loads(regatta("models", "show", "boats", "--format", "json").stdout)
    assert (shown["task"], shown["arch"], shown["labels"]) == ("detect", "YOLO", ["boat", "buoy"])
    assert (shown["location"], shown["input_shape"]) == (str(model), [64, 64])
    assert len(shown["digest"]) == 64
    assert regatta("models", "remove", "boats").exit_code == 0
    assert json.loads(regatta("models", "list", "--format", "json").stdout) == []
    result = regatta("models", "remove", "boats")
    assert result.exit_code == 2
    assert "there is no model 'boats'" in result.stderr
    assert model.is_dir()


def test_a_name_stands_for_one_content(bench: Bench, regatta: Regatta, model: Path) -> None:
    add(regatta, model)
    add(regatta, model)
    (model / "model.pdiparams").write_bytes(b"other weights")
    result = regatta("models", "add", "boats", str(model))
    assert result.exit_code == 2
    assert "another digest" in result.stderr


def test_a_registered_model_runs_only_with_its_digest(
    bench: Bench, regatta: Regatta, model: Path, photos: Path
) -> None:
    add(regatta, model)
    job = bench.read_job(regatta("submit", str(photos), "--model", "boats").stdout.strip())
    assert (job.model["name"], job.model["location"]) == ("boats", str(model))
    (model / "model.pdiparams").write_bytes(b"other weights")
    result = regatta("submit", str(photos), "--model", "boats")
    assert result.exit_code == 2
    assert "not those that were registered" in result.stderr


@pytest.mark.parametrize("name", ["", "a/b", "a\nb", "x" * 101])
def test_names_that_would_confuse(bench: Bench, regatta: Regatta, model: Path, name: str) -> None:
    assert regatta("models", "add", name, str(model)).exit_code == 2


def test_a_model_for_another_task(bench: Bench, regatta: Regatta, model: Path) -> None:
    result = regatta("models", "add", "boats", str(model), "--task", "keypoint")
    assert result.exit_code == 2
    assert "for the task 'detect', not 'keypoint'" in result.stderr


def test_no_model_at_all(bench: Bench, regatta: Regatta, tmp_path: Path) -> None:
    result = regatta("models", "add", "boats", str(tmp_path / "nothing"))
    assert result.exit_code == 2
    assert "no model directory" in result.stderr
