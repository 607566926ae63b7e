from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from core.errors import BadInputError
from core.options import JobOptions
from predictions.detections import Detections
from tests.workshop import write_model
from vision.exports.export import read_export
from worker.networks.detector import Detector
from worker.networks.network import stacked

Rows = NDArray[np.float32]


@pytest.fixture
def detector(tmp_path: Path) -> Detector:
    write_model(tmp_path / "model", labels=("cat", "dog"))
    return Detector(read_export(tmp_path / "model"))


def rows(*values: tuple[float, ...]) -> Rows:
    return np.array(values, np.float32).reshape(-1, 6)


def boxes(detector: Detector, found: Rows, threshold: float | None = None) -> Detections:
    options = JobOptions.of(max_pixels=1, max_item_bytes=1, jpeg_quality=90, threshold=threshold)
    columns = detector.read(found, (10, 10), options).detections
    assert columns is not None
    return columns


def test_a_batch_is_filled_up_with_its_first_image(detector: Detector) -> None:
    prepared = [detector.prepare(np.full((4, 6, 3), n, np.uint8)) for n in (7, 9)]
    feeds = stacked(prepared, 4)
    assert feeds["image"].shape == (4, 3, 4, 6)
    assert feeds["image"][:, 0, 0, 0].tolist() == [7, 9, 7, 7]
    assert feeds["im_shape"].tolist() == [[4, 6]] * 4
    assert feeds["scale_factor"].tolist() == [[1, 1]] * 4


def test_a_job_may_set_its_own_threshold(detector: Detector) -> None:
    found = rows((0, 0.9, 0, 0, 1, 1), (1, 0.3, 0, 0, 1, 1))
    assert len(boxes(detector, found).scores) == 1
    assert len(boxes(detector, found, 0.2).scores) == 2
    assert len(boxes(detector, found, 0.0).scores) == 2


def test_nothing_found_is_an_answer(detector: Detector) -> None:
    columns = boxes(detector, rows())
    assert columns.xyxy.shape == (0, 4)
    assert columns.labels == ("cat", "dog")


def test_a_class_without_a_name_is_no_answer(detector: Detector) -> None:
    with pytest.raises(BadInputError, match=r"class 2 .* only 2 classes") as refused:
        boxes(detector, rows((2, 0.9, 0, 0, 1, 1)))
    assert refused.value.reason == "model_output_invalid"
