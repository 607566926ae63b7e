from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

from core.errors import BadInputError, FatalError
from tests.bench import OPTIONS
from vision.draw.by_task import draw
from vision.exports.export import read_export
from vision.exports.exported import ExportedModel
from vision.rectangle import Rectangle
from worker.networks.by_task import network_of
from worker.networks.pose_network import BottomUp, TopDown


def export(folder: Path, arch: str, first: dict[str, Any]) -> ExportedModel:
    config = {"arch": arch, "Preprocess": [first, {"type": "Permute"}]}
    (folder / "infer_cfg.yml").write_text(yaml.safe_dump(config))
    (folder / "model.json").write_text("{}")
    (folder / "model.pdiparams").write_bytes(b"\0")
    return read_export(folder)


@pytest.fixture
def top_down(tmp_path: Path) -> TopDown:
    first = {"type": "TopDownEvalAffine", "trainsize": [48, 64], "use_udp": True}
    network = network_of(export(tmp_path, "HRNet", first))
    assert isinstance(network, TopDown)
    return network


@pytest.fixture
def bottom_up(tmp_path: Path) -> BottomUp:
    network = network_of(export(tmp_path, "HigherHRNet", {"type": "EvalAffine", "size": 64}))
    assert isinstance(network, BottomUp)
    return network


def test_points_of_a_crop_are_in_pixels_of_the_picture(top_down: TopDown) -> None:
    maps = np.zeros((2, 3, 16, 12), np.float32)
    maps[0, :, 0, 0] = 0.9
    maps[1, :, 15, 11] = 0.8
    # Cells are 4 pixels of the model's input, which has 47 x 63 steps between its pixels.
    crops = [Rectangle(100, 200, 147, 263), Rectangle(0, 0, 94, 126)]
    points = top_down.keypoints(list(maps), crops)
    assert points.shape == (2, 3, 3)
    assert points[0, 0] == pytest.approx([100, 200, 0.9])
    assert points[1, 0] == pytest.approx([2 * 44, 2 * 60, 0.8])


@pytest.mark.parametrize("outputs", [[], [np.zeros((2, 3, 4))], [np.zeros((1, 3, 4, 4))]])
def test_what_is_no_heatmap_is_fatal(top_down: TopDown, outputs: list[Any]) -> None:
    with pytest.raises(FatalError, match="expected heatmaps"):
        top_down.split(outputs, [], 2)


def test_heatmaps_without_numbers_end_their_picture(top_down: TopDown) -> None:
    with pytest.raises(BadInputError, match="NaN"):
        top_down.keypoints([np.full((3, 4, 4), np.nan, np.float32)], [Rectangle(0, 0, 9, 9)])


def people(*joints: tuple[int, int, float]) -> list[np.ndarray[Any, Any]]:
    """The outputs for people all of whose two joints are at x, y, with that score."""
    heat, tags = np.zeros((1, 2, 64, 64), np.float32), np.zeros((1, 2, 64, 64, 1), np.float32)
    scores, places = np.zeros((1, 2, 5), np.float32), np.zeros((1, 2, 5), np.int64)
    for number, (x, y, score) in enumerate(joints):
        heat[0, :, y, x], tags[0, :, y, x] = score, 10 * (number + 1)
        scores[0, :, number], places[0, :, number] = score, 64 * y + x
    return [heat, tags, scores, places]


def test_a_picture_has_its_people_by_score_and_none_below_the_threshold(
    bottom_up: BottomUp,
) -> None:
    outputs = people((10, 20, 0.5), (40, 50, 0.9), (30, 8, 0.3))
    [output] = bottom_up.split(outputs, [None], 1)  # type: ignore[list-item]
    answer = bottom_up.read(output, (128, 128), OPTIONS.but(threshold=0.4))
    found = answer.detections
    assert found is not None
    assert found.scores == pytest.approx([0.9, 0.5])
    assert found.keypoints is not None
    assert found.keypoints[0, 0, :2] == pytest.approx([80, 100], abs=1.1)
    picture = np.zeros((128, 128, 3), np.uint8)
    assert draw("keypoint", picture, answer, OPTIONS.drawing).any()
    assert not picture.any()


def test_nobody_in_a_picture_is_an_answer(bottom_up: BottomUp) -> None:
    answer = bottom_up.read(people(), (128, 64), OPTIONS)
    assert answer.detections is not None
    assert len(answer.detections.scores) == 0
    picture = np.zeros((64, 128, 3), np.uint8)
    assert not draw("keypoint", picture, answer, OPTIONS.drawing).any()


def test_a_bottom_up_model_gets_one_picture_at_a_time(bottom_up: BottomUp) -> None:
    with pytest.raises(FatalError, match="one image"):
        bottom_up.split(people(), [None, None], 2)  # type: ignore[list-item]
