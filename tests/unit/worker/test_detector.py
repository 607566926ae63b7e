from pathlib import Path

import numpy as np
import pytest

from core.errors import BadInputError
from tests.workshop import write_model
from vision.export import read_export
from worker.detector import Detector


@pytest.fixture
def detector(tmp_path: Path) -> Detector:
    write_model(tmp_path / "model", labels=("cat", "dog"))
    return Detector(read_export(tmp_path / "model"))


def rows(*values: tuple[float, ...]) -> np.ndarray[tuple[int, int], np.dtype[np.float32]]:
    return np.array(values, np.float32).reshape(-1, 6)


def test_a_batch_is_filled_up_with_its_first_image(detector: Detector) -> None:
    prepared = [detector.prepare(np.full((4, 6, 3), n, np.uint8)) for n in (7, 9)]
    feeds = detector.feeds(prepared, 4)
    assert feeds["image"].shape == (4, 3, 4, 6)
    assert feeds["image"][:, 0, 0, 0].tolist() == [7, 9, 7, 7]
    assert feeds["im_shape"].tolist() == [[4, 6]] * 4
    assert feeds["scale_factor"].tolist() == [[1, 1]] * 4


def test_a_job_may_set_its_own_threshold(detector: Detector) -> None:
    found = rows((0, 0.9, 0, 0, 1, 1), (1, 0.3, 0, 0, 1, 1))
    assert len(detector.read(found, None).scores) == 1
    assert len(detector.read(found, 0.2).scores) == 2
    assert len(detector.read(found, 0.0).scores) == 2


def test_nothing_found_is_an_answer(detector: Detector) -> None:
    columns = detector.columns(detector.read(rows(), None))
    assert columns.xyxy.shape == (0, 4)
    assert columns.labels == ("cat", "dog")


def test_a_class_without_a_name_is_no_answer(detector: Detector) -> None:
    with pytest.raises(BadInputError, match=r"class 2 .* only 2 classes") as refused:
        detector.read(rows((2, 0.9, 0, 0, 1, 1)), None)
    assert refused.value.reason == "model_output_invalid"
