"""Networks that are truly run before they get a name."""

import io
import json
import re
import shutil
import subprocess
from contextlib import redirect_stdout
from pathlib import Path
from typing import Any

import pytest
import structlog
import yaml

from cli.stack.environment import python_module
from tests.nets import export_blob_classifier, export_blob_segmenter
from tests.scenes import SIDE
from worker import smoke


def tried(directory: Path) -> dict[str, Any]:
    """What is said of an export, by a process that has imported Paddle already."""
    before = structlog.get_config()
    try:
        with redirect_stdout(io.StringIO()) as said:
            assert smoke.main(str(directory)) == 0
    finally:
        structlog.configure(**before)
    return answer_in(said.getvalue())


def answer_in(said: str) -> dict[str, Any]:
    answer: dict[str, Any] = json.loads(said.strip().rpartition("\n")[2])
    return answer


@pytest.fixture(scope="module")
def segmenter(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return export_blob_segmenter(tmp_path_factory.mktemp("models") / "segmenter")


@pytest.fixture(scope="module")
def classifier(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return export_blob_classifier(tmp_path_factory.mktemp("models") / "classifier")


def test_a_detector(blob_detector: Path) -> None:
    words = python_module("worker.smoke", str(blob_detector))
    result = subprocess.run(words, capture_output=True, text=True, check=True)
    found = answer_in(result.stdout)
    assert re.fullmatch(r"paddle \d+\.\d+\.\d+", found["engine"])
    assert found["inputs"] == [
        {"name": "image", "shape": [1, 3, SIDE, SIDE]},
        {"name": "scale_factor", "shape": [1, 2]},
    ]
    rows, counts = found["outputs"]
    assert (rows["dtype"], rows["shape"][1], counts["shape"]) == ("float32", 6, [1])
    assert found["milliseconds"] > 0


def test_one_of_any_size(blob_detr: Path) -> None:
    [_, image, _] = tried(blob_detr)["inputs"]
    height, width = image["shape"][2:]
    assert (image["name"], height) == ("image", SIDE)
    assert width == round(640 * SIDE / 480)


def test_a_segmenter_and_a_classifier(segmenter: Path, classifier: Path) -> None:
    assert tried(segmenter)["outputs"] == [{"dtype": "float32", "shape": [1, 4, SIDE, SIDE]}]
    found = tried(classifier)
    assert found["outputs"] == [{"dtype": "float32", "shape": [1, 3]}]
    assert found["inputs"] == [{"name": "x", "shape": [1, 3, SIDE, SIDE]}]


@pytest.mark.parametrize(
    ("file", "old", "new"),
    [
        ("model.pdiparams", None, b""),
        ("model.json", b'"1.conv2d"', b'"1.conv9d"'),  # an op of a Paddle to come
        ("model.json", None, b"{"),
    ],
)
def test_what_this_paddle_cannot_load(
    blob_detector: Path, tmp_path: Path, file: str, old: bytes | None, new: bytes
) -> None:
    broken = tmp_path / "broken"
    shutil.copytree(blob_detector, broken)
    data = (broken / file).read_bytes()
    assert old is None or old in data
    (broken / file).write_bytes(new if old is None else data.replace(old, new))
    answer = tried(broken)
    assert "can't load" in answer["error"]
    assert "export it again" in answer["hint"]


def test_what_is_no_export(tmp_path: Path) -> None:
    answer = tried(tmp_path)
    assert "holds none of infer_cfg.yml" in answer["error"]
    assert answer["hint"]


@pytest.mark.proof
def test_a_short_class_list(
    segmenter: Path, classifier: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The whole way, as a person goes it."""
    from click.testing import CliRunner  # noqa: PLC0415

    from cli.main import cli  # noqa: PLC0415

    monkeypatch.setenv("REGATTA_HOME", str(tmp_path / "home"))
    monkeypatch.chdir(tmp_path)
    short = tmp_path / "short"
    shutil.copytree(classifier, short)
    config = yaml.safe_load((short / "inference.yml").read_text())
    config["PostProcess"]["MultiLabelThreshOutput"]["label_list"].pop()
    (short / "inference.yml").write_text(yaml.safe_dump(config))
    result = CliRunner().invoke(cli, ["models", "add", "colours", str(short)])
    assert result.exit_code == 2
    assert "too short: it names 2 classes, but the network scores 3" in result.stderr
    result = CliRunner().invoke(cli, ["models", "add", "colours", str(classifier)])
    assert result.exit_code == 0, result.stderr

    shutil.copytree(segmenter, tmp_path / "regions")
    config = yaml.safe_load((tmp_path / "regions" / "deploy.yaml").read_text())
    config["Deploy"]["label_list"] = ["background", "red"]
    (tmp_path / "regions" / "deploy.yaml").write_text(yaml.safe_dump(config))
    result = CliRunner().invoke(cli, ["models", "add", "regions", str(tmp_path / "regions")])
    assert result.exit_code == 0, result.stderr
    assert "warning: label_list names 2 of 4 classes" in result.stderr
