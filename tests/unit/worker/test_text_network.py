from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

from core.errors import BadInputError, FatalError
from vision.exports.export import read_export
from vision.exports.exported import ExportedModel
from vision.ops.preprocess import Prepared
from worker.networks.by_task import network_of
from worker.networks.text_network import TextDetector, TextRecognizer


def export(folder: Path, steps: list[dict[str, Any]], post: dict[str, Any]) -> ExportedModel:
    config = {"PreProcess": {"transform_ops": steps}, "PostProcess": post}
    (folder / "inference.yml").write_text(yaml.safe_dump(config))
    (folder / "inference.json").write_text("{}")
    (folder / "inference.pdiparams").write_bytes(b"\0")
    return read_export(folder)


@pytest.fixture
def detector(tmp_path: Path) -> TextDetector:
    steps = [
        {"DetResizeForTest": {"limit_side_len": 64, "limit_type": "max"}},
        {
            "NormalizeImage": {
                "mean": [0.5] * 3,
                "std": [0.5] * 3,
                "scale": "1./255.",
                "order": "hwc",
            }
        },
        {"ToCHWImage": None},
    ]
    network = network_of(export(tmp_path, steps, {"name": "DBPostProcess"}))
    assert isinstance(network, TextDetector)
    return network


@pytest.fixture
def recognizer(tmp_path: Path) -> TextRecognizer:
    steps = [{"RecResizeImg": {"image_shape": [3, 48, 320]}}]
    post = {"name": "CTCLabelDecode", "character_dict": ["a", "b"]}
    network = network_of(export(tmp_path, steps, post))
    assert isinstance(network, TextRecognizer)
    return network


def image_of(*shape: int) -> Prepared:
    pair = np.ones(2, np.float32)
    return Prepared(np.zeros(shape, np.float32), pair, pair)


def test_a_map_becomes_lines_of_its_picture(detector: TextDetector) -> None:
    maps = np.zeros((2, 1, 64, 64), np.float32)
    maps[0, 0, 20:36, 10:50] = 0.9
    first, second = detector.split([maps], [image_of(3, 64, 64)] * 2, 2)
    found = detector.regions(first, (128, 128))
    assert len(found) == 1
    low, high = found.quads[0].min(0), found.quads[0].max(0)
    assert (low < (20, 40)).all()
    assert (high > (98, 70)).all()
    assert len(detector.regions(second, (128, 128))) == 0


@pytest.mark.parametrize("outputs", [[], [np.zeros((2, 1, 32, 64))], [np.zeros((1, 1, 64, 64))]])
def test_what_is_no_map_of_the_picture_is_fatal(detector: TextDetector, outputs: Any) -> None:
    with pytest.raises(FatalError, match="expected probabilities"):
        detector.split(outputs, [image_of(3, 64, 64)], 2)


def test_a_map_without_numbers_ends_its_picture(detector: TextDetector) -> None:
    with pytest.raises(BadInputError, match="NaN"):
        detector.regions(np.full((64, 64), np.nan, np.float32), (128, 128))


def test_classes_become_text(recognizer: TextRecognizer) -> None:
    # blank, a, b and the space
    steps = np.eye(4, dtype=np.float32)[[1, 1, 0, 1, 3, 2]][None]
    [line] = recognizer.split([steps.repeat(2, 0)], [image_of(3, 48, 320)], 2)
    assert (line.text, line.score) == ("aa b", 1.0)


@pytest.mark.parametrize("shape", [(), (2, 6, 5), (1, 6, 4), (2, 6)])
def test_a_dictionary_of_another_model_is_fatal(
    recognizer: TextRecognizer, shape: tuple[int, ...]
) -> None:
    outputs = [np.zeros(shape, np.float32)] if shape else []
    with pytest.raises(FatalError, match="4 characters"):
        recognizer.split(outputs, [image_of(3, 48, 320)], 2)
