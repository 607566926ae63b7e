from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

from core.errors import BadInputError, FatalError, UsageError
from core.options import JobOptions
from vision.draw.by_task import draw
from vision.exports.export import read_export
from worker.networks.by_task import network_of
from worker.networks.matting import MattingNetwork

OPTIONS = JobOptions.of(max_pixels=1, max_item_bytes=1, jpeg_quality=90)
TRANSFORMS = [{"type": "LoadImages"}, {"type": "Resize", "target_size": [8, 4]}]


def matter(folder: Path, **config: Any) -> Any:
    folder.mkdir(exist_ok=True)
    told = {"Deploy": {"transforms": TRANSFORMS}, "ModelName": "PPMatting"} | config
    (folder / "deploy.yaml").write_text(yaml.safe_dump(told))
    for name in ("model.pdmodel", "model.pdiparams"):
        (folder / name).touch()
    return network_of(read_export(folder))


def answer(network: Any, output: Any, size_wh: tuple[int, int]) -> Any:
    batch = [network.prepare(np.zeros((size_wh[1], size_wh[0], 3), np.uint8))]
    [found] = network.split([output], batch, len(output))
    return network.read(found, size_wh, OPTIONS)


@pytest.mark.parametrize("size_wh", [(1, 1), (30, 20)])
def test_alpha_has_the_size_of_the_picture(tmp_path: Path, size_wh: tuple[int, int]) -> None:
    network = matter(tmp_path)
    assert isinstance(network, MattingNetwork)
    alpha = np.zeros((2, 1, 4, 8), np.float32)
    alpha[0, 0, :, :4] = 1
    found = answer(network, alpha, size_wh)
    pixels = found.mask
    assert pixels.shape == size_wh[::-1]
    if size_wh == (30, 20):
        assert (pixels[:, :12] == 255).all()
        assert (pixels[:, 18:] == 0).all()
        drawn = draw("matting", np.full((20, 30, 3), 7, np.uint8), found, OPTIONS.drawing)
        assert (drawn[:, :12] == 7).all()
        assert (drawn[:, 18:] == drawn[0, -1]).all()
        assert (drawn[0, -1] != 7).any()


def test_the_picture_stands_on_the_colour_that_was_asked_for(tmp_path: Path) -> None:
    options = OPTIONS.but(background=(10, 20, 30))
    found = matter(tmp_path).read(np.zeros((4, 8), np.float32), (8, 4), options)
    drawn = draw("matting", np.full((4, 8, 3), 200, np.uint8), found, options.drawing)
    assert drawn[2, 5].tolist() == [30, 20, 10]


def test_nothing_in_front_is_an_answer(tmp_path: Path) -> None:
    found = answer(matter(tmp_path), np.zeros((1, 1, 4, 8), np.float32), (5, 5))
    assert not found.mask.any()


def test_a_broken_pixel_is_no_answer(tmp_path: Path) -> None:
    alpha = np.zeros((1, 1, 4, 8), np.float32)
    alpha[0, 0, 1, 1] = np.nan
    with pytest.raises(BadInputError, match="NaN or infinity"):
        answer(matter(tmp_path), alpha, (5, 5))


@pytest.mark.parametrize("shape", [(1, 2, 4, 8), (1, 1, 8, 4), (1, 4, 8)])
def test_other_outputs_are_refused(tmp_path: Path, shape: tuple[int, ...]) -> None:
    with pytest.raises(FatalError, match="expected alpha"):
        answer(matter(tmp_path), np.zeros(shape, np.float32), (5, 5))


@pytest.mark.parametrize(("name", "wanted"), [("DIM", "a trimap"), ("RVM", "picture before")])
def test_models_that_want_more_than_a_picture_are_refused(
    tmp_path: Path, name: str, wanted: str
) -> None:
    with pytest.raises(UsageError, match=f"{name} needs .*{wanted}"):
        matter(tmp_path, ModelName=name)


def test_deploy_files_tell_their_tasks(tmp_path: Path) -> None:
    plain = [{"type": "Normalize"}]
    for task, config in {
        "segment": {"Deploy": {"transforms": plain}},
        "panoptic": {"Deploy": {"transforms": [*plain, {"type": "Collect", "keys": ["img"]}]}},
        "matting": {"Deploy": {"transforms": [{"type": "LoadImages"}, *plain]}},
    }.items():
        (tmp_path / "deploy.yaml").write_text(yaml.safe_dump(config))
        for name in ("model.pdmodel", "model.pdiparams"):
            (tmp_path / name).touch()
        assert read_export(tmp_path).task == task
