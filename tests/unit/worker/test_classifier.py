from pathlib import Path

import numpy as np
import pytest
import yaml

from core.errors import BadInputError, FatalError, UsageError
from core.options import JobOptions
from vision.draw.by_task import draw
from vision.exports.export import read_export
from worker.networks.classifier import Classifier

OPTIONS = JobOptions.of(max_pixels=1, max_item_bytes=1, jpeg_quality=90)
LABELS = ["cat", "dog", "fox", "owl"]


def classifier(folder: Path, **post: object) -> Classifier:
    folder.mkdir()
    steps = [{"ResizeImage": {"size": 8}}, {"ToCHWImage": None}]
    config = {"PreProcess": {"transform_ops": steps}, "PostProcess": post}
    (folder / "inference.yml").write_text(yaml.safe_dump(config))
    for name in ("inference.pdmodel", "inference.pdiparams"):
        (folder / name).touch()
    return Classifier(read_export(folder))


def labels_of(network: Classifier, *scores: float, threshold: float | None = None) -> list[str]:
    options = JobOptions.of(max_pixels=1, max_item_bytes=1, jpeg_quality=90, threshold=threshold)
    classes = network.read(np.array(scores, np.float32), (9, 9), options).classes
    assert classes is not None
    return [one.label for one in classes]


def test_the_best_few_come_first(tmp_path: Path) -> None:
    network = classifier(tmp_path / "m", Topk={"topk": 2, "label_list": LABELS})
    assert labels_of(network, 0.1, 0.5, 0.3, 0.1) == ["dog", "fox"]
    assert labels_of(network, 0.1, 0.5, 0.3, 0.1, threshold=0.4) == ["dog"]


def test_of_many_labels_each_that_is_sure_enough_counts(tmp_path: Path) -> None:
    network = classifier(
        tmp_path / "m", MultiLabelThreshOutput={"threshold": 0.4, "label_list": LABELS}
    )
    assert labels_of(network, 0.5, 0.1, 0.9, 0.6) == ["fox", "owl", "cat"]
    assert labels_of(network, 0.1, 0.1, 0.1, 0.1) == []


def test_an_answer_is_drawn(tmp_path: Path) -> None:
    network = classifier(tmp_path / "m", Topk={"topk": 1, "label_list": LABELS})
    answer = network.read(np.array([0, 0, 1, 0], np.float32), (90, 90), OPTIONS)
    blank = np.zeros((90, 90, 3), np.uint8)
    assert draw("classify", blank, answer, OPTIONS.drawing).any()
    assert not blank.any()


def test_a_label_list_that_is_too_short_is_an_error(tmp_path: Path) -> None:
    network = classifier(tmp_path / "m", Topk={"topk": 1, "label_list": LABELS})
    batch = [network.prepare(np.zeros((8, 8, 3), np.uint8))]
    assert len(network.split([np.zeros((3, 4), np.float32)], batch, 3)) == 1
    with pytest.raises(FatalError, match=r"\(3, 5\) for 3 images and 4 classes"):
        network.split([np.zeros((3, 5), np.float32)], batch, 3)


def test_no_number_is_no_answer(tmp_path: Path) -> None:
    network = classifier(tmp_path / "m", Topk={"topk": 1, "label_list": LABELS})
    with pytest.raises(BadInputError, match="NaN"):
        network.read(np.array([0, np.nan, 1, 0], np.float32), (9, 9), OPTIONS)


@pytest.mark.parametrize(
    ("post", "message"),
    [
        ({"name": "SRNLabelDecode"}, "its PostProcess is SRNLabelDecode"),
        ({"Topk": {"topk": 5}}, "label_list .* is empty"),
        ({}, "its PostProcess is nothing"),
    ],
)
def test_other_models_are_told_apart(tmp_path: Path, post: dict[str, object], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        classifier(tmp_path / "m", **post)
