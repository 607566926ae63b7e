from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

from core.errors import FatalError
from core.options import JobOptions
from vision.draw.by_task import draw
from vision.exports.export import read_export
from worker.networks.by_task import network_of

OPTIONS = JobOptions.of(max_pixels=1, max_item_bytes=1, jpeg_quality=90)
TRANSFORMS = [
    {"type": "Resize", "target_size": [8, 4]},
    {"type": "Normalize"},
    {"type": "Collect", "keys": ["img"]},
]


@pytest.fixture
def network(tmp_path: Path) -> Any:
    deploy = {"transforms": TRANSFORMS, "label_list": ["person", "sky"]}
    (tmp_path / "deploy.yaml").write_text(yaml.safe_dump({"Deploy": deploy}))
    for name in ("model.pdmodel", "model.pdiparams"):
        (tmp_path / name).touch()
    export = read_export(tmp_path)
    assert export.largest_batch == 1
    return network_of(export)


def split(network: Any, output: Any, size_wh: tuple[int, int]) -> Any:
    batch = [network.prepare(np.zeros((size_wh[1], size_wh[0], 3), np.uint8))]
    [found] = network.split([output], batch, 1)
    return found


def halves() -> Any:
    ids = np.full((1, 1, 4, 8), 2000, np.int64)
    ids[..., :4] = 1001
    return ids


def test_segments_come_at_the_size_of_the_picture(network: Any) -> None:
    output = split(network, halves(), (16, 12))
    answer = network.read(output, (16, 12), OPTIONS)
    assert [(one.label, one.score) for one in answer.classes] == [("person", 0.5), ("sky", 0.5)]
    assert answer.mask.shape == (12, 16)
    assert (answer.mask[0, 0], answer.mask[11, 15]) == (1001, 2000)
    assert [segment.box for segment in answer.segments] == [(0, 0, 8, 12), (8, 0, 16, 12)]
    assert draw("panoptic", np.zeros((12, 16, 3), np.uint8), answer, OPTIONS.drawing).any()


def test_a_single_pixel_and_nothing_at_all_are_answers(network: Any) -> None:
    answer = network.read(split(network, halves(), (1, 1)), (1, 1), OPTIONS)
    assert len(answer.classes) == 1
    answer = network.read(split(network, 0 * halves(), (3, 3)), (3, 3), OPTIONS)
    assert answer.classes == ()


def test_other_outputs_are_refused(network: Any) -> None:
    for output in (halves().astype(np.float32), halves()[..., :3]):
        with pytest.raises(FatalError, match="expected segments"):
            split(network, output, (9, 9))
