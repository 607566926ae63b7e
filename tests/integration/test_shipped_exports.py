"""The shipped exports load, and answer in the shapes that their formats promise."""

import numpy as np
import pytest

from sample.labels import JOINTS, SEGMENTS
from sample.shipped import MODELS
from sample.weather import WEATHERS
from training.alphabet import CLASSES
from training.held_out import Graph
from vision.exports.export import read_export

SHAPES = [
    ("segment", (256, 256), (2, 256, 256)),
    ("keypoint", (128, 96), (2, len(JOINTS), 32, 24)),
    ("classify", (128, 128), (2, len(WEATHERS))),
    ("text_det", (64, 96), (2, 1, 64, 96)),
    ("text_rec", (32, 160), (2, 40, 1 + CLASSES)),
    ("text_rec", (32, 240), (2, 60, 1 + CLASSES)),
]


@pytest.mark.parametrize(("task", "size", "shape"), SHAPES)
def test_answers_have_their_shapes(
    task: str, size: tuple[int, int], shape: tuple[int, ...]
) -> None:
    rng = np.random.default_rng(0)
    output = Graph(MODELS[task].directory)(rng.normal(0, 1, (2, 3, *size)).astype(np.float32))
    assert output.shape == shape
    assert np.isfinite(output).all()
    if task in ("classify", "text_rec"):
        assert output.sum(-1) == pytest.approx(np.ones(shape[:-1]), abs=1e-4)
    if task == "text_det":
        assert output.min() >= 0
        assert output.max() <= 1


def test_names_come_in_the_order_of_the_classes() -> None:
    assert read_export(MODELS["segment"].directory).labels == SEGMENTS
    assert read_export(MODELS["classify"].directory).labels == tuple(
        weather.name for weather in WEATHERS
    )


def test_the_shipped_weights_stay_small() -> None:
    sizes = {
        task: sum(path.stat().st_size for path in shipped.directory.glob("*.pdiparams"))
        for task, shipped in MODELS.items()
    }
    assert min(sizes.values()) > 0
    assert sum(sizes.values()) - sizes["detect"] < 4_500_000
