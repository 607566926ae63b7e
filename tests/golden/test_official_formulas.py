"""Classification and segmentation, against the official tools' steps written out one by one.

The models are real ones in REGATTA_REFERENCE's `models/`; the steps are those of PaddleClas's
`deploy/python/predict_cls.py` and PaddleSeg's `deploy/python/infer.py`, whose labels are brought
back to the source's size as its `reverse_transform` does.
"""

import os
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import paddle.inference as paddle_infer
import pytest
from numpy.typing import NDArray

from core.options import JobOptions
from predictions.answer import Answer
from vision.exports.export import read_export
from vision.exports.exported import ExportedModel
from vision.read.picture import read_picture
from worker.networks.by_task import network_of
from worker.networks.network import stacked

REFERENCE = Path(os.environ["REGATTA_REFERENCE"])
PHOTOS = sorted((REFERENCE / "media/photos").glob("*.jpg"))
OPTIONS = JobOptions.of(max_pixels=10**9, max_item_bytes=10**9, jpeg_quality=90)


class Bare:
    """A model's predictor, and Regatta's way around the same one."""

    def __init__(self, name: str) -> None:
        self.export: ExportedModel = read_export(REFERENCE / "models" / name)
        config = paddle_infer.Config(str(self.export.model_file), str(self.export.params_file))
        config.disable_gpu()
        config.disable_glog_info()
        config.disable_mkldnn()  # on unless told otherwise, and some of its kernels are wrong
        config.set_cpu_math_library_num_threads(1)
        assert not config.mkldnn_enabled()
        self._vendor = paddle_infer.create_predictor(config)

    def run(self, image: NDArray[np.float32]) -> NDArray[Any]:
        [name] = self._vendor.get_input_names()
        self._vendor.get_input_handle(name).copy_from_cpu(np.ascontiguousarray(image))
        self._vendor.run()
        output: NDArray[Any] = self._vendor.get_output_handle(
            self._vendor.get_output_names()[0]
        ).copy_to_cpu()
        return output

    def regatta(self, photo: Path) -> Answer:
        image = read_picture(photo.read_bytes(), max_pixels=10**9).pixels
        network = network_of(self.export)
        batch = [network.prepare(image)]
        [output] = network.split([self.run(stacked(batch, 1)["image"])], batch, 1)
        return network.read(output, (image.shape[1], image.shape[0]), OPTIONS)


@pytest.fixture(scope="module")
def shufflenet() -> Bare:
    return Bare("shufflenet_v2_x1_0")


@pytest.fixture(scope="module")
def humanseg() -> Bare:
    return Bare("humanseg_192")


@pytest.mark.parametrize("photo", PHOTOS, ids=lambda photo: photo.name)
def test_classes_are_those_of_paddleclas(shufflenet: Bare, photo: Path) -> None:
    image = cv2.imread(str(photo))[:, :, ::-1]
    height, width = image.shape[:2]
    percent = 256 / min(width, height)
    image = cv2.resize(image, (round(width * percent), round(height * percent)))
    top, left = (image.shape[0] - 224) // 2, (image.shape[1] - 224) // 2
    image = image[top : top + 224, left : left + 224].astype("float32")
    mean, std = np.float32([0.485, 0.456, 0.406]), np.float32([0.229, 0.224, 0.225])
    image = (image * np.float32(0.00392156862745098) - mean) / std
    scores = shufflenet.run(image.transpose(2, 0, 1)[None])[0]

    classes = shufflenet.regatta(photo).classes
    assert classes is not None
    assert [one.class_id for one in classes] == np.argsort(-scores, kind="stable")[:5].tolist()
    assert [one.score for one in classes] == pytest.approx(sorted(scores)[:-6:-1], abs=0.01)


@pytest.mark.parametrize("photo", PHOTOS, ids=lambda photo: photo.name)
def test_masks_are_those_of_paddleseg(humanseg: Bare, photo: Path) -> None:
    image = cv2.imread(str(photo)).astype("float32")
    height, width = image.shape[:2]
    image = cv2.resize(cv2.cvtColor(image, cv2.COLOR_BGR2RGB), (192, 192))
    image = image.astype(np.float32) / 255.0
    image -= np.array([0.48108, 0.45752, 0.40788])
    image /= np.array([0.00392157] * 3)
    labels = humanseg.run(image.transpose(2, 0, 1)[None])[0].argmax(0).astype(np.uint8)
    expected = cv2.resize(labels, (width, height), interpolation=cv2.INTER_NEAREST)

    mask = humanseg.regatta(photo).mask
    assert mask is not None
    assert (mask == expected).mean() >= 0.999
