from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

from core.errors import BadInputError, FatalError, UsageError
from core.options import JobOptions
from predictions.answer import Legend
from vision.draw.by_task import draw
from vision.exports.export import read_export
from worker.networks.segmenter import Segmenter

OPTIONS = JobOptions.of(max_pixels=1, max_item_bytes=1, jpeg_quality=90)
RESIZE = {"type": "Resize", "target_size": [4, 4]}


def segmenter(folder: Path, **deploy: Any) -> Segmenter:
    folder.mkdir()
    (folder / "deploy.yaml").write_text(
        yaml.safe_dump({"Deploy": {"transforms": [RESIZE]} | deploy})
    )
    for name in ("model.pdmodel", "model.pdiparams"):
        (folder / name).touch()
    return Segmenter(read_export(folder))


def answer(network: Segmenter, output: Any, size_wh: tuple[int, int] = (8, 8)) -> Any:
    batch = [network.prepare(np.zeros((size_wh[1], size_wh[0], 3), np.uint8))]
    [found] = network.split([output], batch, len(output))
    return network.read(found, size_wh, OPTIONS)


def quarters() -> np.ndarray[Any, np.dtype[np.int32]]:
    labels = np.zeros((1, 4, 4), np.int32)
    labels[:, 2:] = 2
    labels[:, 3:, 3:] = 1
    return labels


def test_classes_come_with_their_share_and_the_mask_at_the_size_of_the_source(
    tmp_path: Path,
) -> None:
    network = segmenter(tmp_path / "m", label_list=["sky", "gull", "water"])
    found = answer(network, quarters(), (12, 8))

    assert [(c.label, c.score) for c in found.classes] == [
        ("sky", 0.5),
        ("water", 0.4375),
        ("gull", 0.0625),
    ]
    assert found.mask.shape == (8, 12)
    assert found.mask[-1, -1] == 1


def test_regions_have_outlines_if_they_are_asked_for(tmp_path: Path) -> None:
    network = segmenter(tmp_path / "m", label_list=["background", "gull", "water"])
    assert answer(network, quarters(), (64, 64)).detections is None
    batch = [network.prepare(np.zeros((64, 64, 3), np.uint8))]
    [output] = network.split([quarters()], batch, 1)
    found = network.read(output, (64, 64), OPTIONS.but(polygons=True)).detections
    assert found is not None
    assert [found.labels[number] for number in found.class_ids] == ["water", "gull"]
    assert found.xyxy.tolist() == [[0, 32, 64, 64], [48, 48, 64, 64]]
    assert found.scores == pytest.approx([1792 / 4096, 256 / 4096])
    assert found.polygons is not None
    assert len(found.polygons[0]) == 6
    [nothing] = network.split([np.zeros((1, 4, 4), np.int32)], batch, 1)
    empty = network.read(nothing, (64, 64), OPTIONS.but(polygons=True)).detections
    assert empty is not None
    assert len(empty.scores) == 0


def test_scores_say_the_same_as_labels(tmp_path: Path) -> None:
    network = segmenter(tmp_path / "m")
    scores = np.moveaxis(np.eye(3, dtype=np.float32)[quarters()], -1, 1)
    assert np.array_equal(answer(network, scores).mask, answer(network, quarters()).mask)
    assert [c.label for c in answer(network, scores).classes] == ["class 0", "class 2", "class 1"]


def test_a_background_is_not_painted(tmp_path: Path) -> None:
    picture = np.full((8, 8, 3), 99, np.uint8)
    two = np.moveaxis(np.eye(2, dtype=np.float32)[np.zeros((1, 4, 4), int)], -1, 1)

    def drawn(network: Segmenter, output: Any) -> Any:
        return draw("segment", picture, answer(network, output), OPTIONS.drawing)

    assert (drawn(segmenter(tmp_path / "a"), two) == 99).all()
    named = segmenter(tmp_path / "b", label_list=["_background_", "x", "y"])
    assert (drawn(named, np.zeros((1, 4, 4), np.int32)) == 99).all()
    road = segmenter(tmp_path / "c", label_list=["road", "x"])
    assert (drawn(road, np.zeros((1, 4, 4), np.int32)) != 99).any()


def test_only_answers_tell_the_background_of_a_graph_without_names(tmp_path: Path) -> None:
    two = np.moveaxis(np.eye(2, dtype=np.float32)[np.zeros((1, 4, 4), int)], -1, 1)
    three = np.moveaxis(np.eye(3, dtype=np.float32)[np.zeros((1, 4, 4), int)], -1, 1)
    network = segmenter(tmp_path / "m")
    assert answer(network, two).legend == Legend(background=0)
    assert answer(network, three).legend == Legend()
    assert answer(network, two).classes == answer(network, three).classes


def test_of_classes_with_names_rows_tell_the_background(tmp_path: Path) -> None:
    picture = np.full((8, 8, 3), 99, np.uint8)
    found = answer(segmenter(tmp_path / "m", label_list=["Background", "x"]), quarters() % 2)
    drawn = draw("segment", picture, found, OPTIONS.drawing)
    again = replace(found, legend=Legend())
    assert np.array_equal(draw("segment", picture, again, OPTIONS.drawing), drawn)


def test_a_single_pixel_has_a_mask(tmp_path: Path) -> None:
    found = answer(segmenter(tmp_path / "m"), quarters(), (1, 1))
    assert found.mask.shape == (1, 1)


@pytest.mark.parametrize("label", [-1, 256])
def test_labels_that_are_no_classes_are_no_answer(tmp_path: Path, label: int) -> None:
    with pytest.raises(BadInputError, match="the model gave labels"):
        answer(segmenter(tmp_path / "m"), np.full((1, 4, 4), label, np.int32))


@pytest.mark.parametrize("shape", [(1, 6), (1, 1, 3, 4, 4)])
def test_other_outputs_are_refused(tmp_path: Path, shape: tuple[int, ...]) -> None:
    with pytest.raises(FatalError, match=r"expected labels \[B,H,W\]"):
        answer(segmenter(tmp_path / "m"), np.zeros(shape, np.float32))


@pytest.mark.parametrize(
    ("deploy", "message"),
    [
        ({"transforms": None}, r"no list Deploy\.transforms"),
        ({"transforms": [{"type": "Flip"}]}, "'Flip' is unknown"),
        ({"label_list": "sky"}, "must be a list"),
    ],
)
def test_unusable_settings_are_named(tmp_path: Path, deploy: Any, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        segmenter(tmp_path / "m", **deploy)
