from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

from core.errors import BadInputError, FatalError
from core.options import JobOptions
from vision.draw.by_task import draw
from vision.exports.export import read_export
from vision.rle import area
from worker.networks.by_task import detector_of
from worker.networks.detector import Detector

OPTIONS = JobOptions.of(max_pixels=1, max_item_bytes=1, jpeg_quality=90)
RESIZE = {"type": "Resize", "target_size": [8, 8], "keep_ratio": False, "interp": 1}


def detector(folder: Path, arch: str, **config: Any) -> Detector:
    folder.mkdir(exist_ok=True)
    config = {"arch": arch, "Preprocess": [RESIZE, {"type": "Permute"}], **config}
    (folder / "infer_cfg.yml").write_text(yaml.safe_dump({"label_list": ["cat", "dog"], **config}))
    for name in ("model.json", "model.pdiparams"):
        (folder / name).touch()
    return detector_of(read_export(folder))


def found(network: Detector, outputs: list[Any], size_wh: tuple[int, int]) -> Any:
    batch = [network.prepare(np.zeros((size_wh[1], size_wh[0], 3), np.uint8))]
    [output] = network.split(outputs, batch, 1)
    return network.found(output, OPTIONS)


@pytest.mark.parametrize("size_wh", [(1, 1), (30, 20)])
def test_masks_are_as_large_as_their_picture(tmp_path: Path, size_wh: tuple[int, int]) -> None:
    width, height = size_wh
    row = np.array([[1, 0.75, 0, 0, width, height]], np.float32)
    masks = np.ones((1, height, width), np.int32)
    boxed = found(detector(tmp_path, "RCNN", mask=True), [row, np.array([1]), masks], size_wh)
    assert [area(mask) for mask in boxed.masks] == [width * height]
    outputs = [masks.astype(np.uint8), np.array([1]), np.array([1]), np.array([0.75])]
    alone = found(detector(tmp_path, "SOLOv2"), outputs, size_wh)
    assert alone.masks == boxed.masks
    assert alone.xyxy.tolist() == boxed.xyxy.tolist()
    assert alone.class_ids.tolist() == [1]


def test_masks_are_drawn_on_pictures_that_the_graph_took_for_smaller(tmp_path: Path) -> None:
    network = detector(tmp_path, "RCNN", mask=True)
    batch = [network.prepare(np.zeros((20, 30, 3), np.uint8))]
    row = np.array([[1, 0.75, 0, 0, 30, 20]], np.float32)
    outputs = [row, np.array([1]), np.ones((1, 20, 30), np.int32)]
    [output] = network.split(outputs, batch, 1)
    picture = np.zeros((21, 31, 3), np.uint8)
    answer = network.read(output, (31, 21), OPTIONS)
    drawn = draw("detect", picture, answer, OPTIONS.drawing)
    assert drawn[10, 10].any()
    assert drawn.shape == picture.shape


def test_a_class_without_a_name_is_no_answer(tmp_path: Path) -> None:
    row = np.array([[2, 0.75, 0, 0, 1, 1]], np.float32)
    outputs = [row, np.array([1]), np.ones((1, 1, 1), np.int32)]
    with pytest.raises(BadInputError, match="class 2 was found"):
        found(detector(tmp_path, "RCNN", mask=True), outputs, (1, 1))


def test_a_graph_for_one_image_is_given_one(tmp_path: Path) -> None:
    network = detector(tmp_path, "SOLOv2")
    batch = [network.prepare(np.zeros((4, 4, 3), np.uint8))]
    with pytest.raises(FatalError, match="one image at a time"):
        network.split([], batch, 2)
