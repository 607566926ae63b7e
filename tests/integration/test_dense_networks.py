"""Exports that answer for each pixel, through Paddle, on pictures whose truth is known."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from core.options import JobOptions
from core.profile import NetworkProfile
from predictions.answer import Answer
from tests.dense_nets import export_blob_masks, export_blob_matting, export_blob_panoptic
from tests.scenes import LABELS, Blob, draw_blobs, paint
from vision.draw.by_task import draw
from vision.exports.export import read_export
from worker.engines.paddle.engine import load_predictor, offers
from worker.networks.by_task import network_of
from worker.networks.network import stacked

PROFILE = NetworkProfile(offers()[0].offer, batch_size=1)
OPTIONS = JobOptions.of(max_pixels=10**9, max_item_bytes=10**9, jpeg_quality=90, threshold=0.3)


class Asked:
    """A model that is shown one picture after the other."""

    def __init__(self, folder: Path) -> None:
        export = read_export(folder)
        self.task = export.task
        self.network: Any = network_of(export)
        self.predictor = load_predictor(export.model_file, export.params_file, profile=PROFILE)

    def output(self, image: NDArray[np.uint8]) -> Any:
        batch = [self.network.prepare(image)]
        [output] = self.network.split(self.predictor.predict(stacked(batch, 1)), batch, 1)
        return output

    def answer(self, image: NDArray[np.uint8]) -> Answer:
        size_wh = (image.shape[1], image.shape[0])
        found: Answer = self.network.read(self.output(image), size_wh, OPTIONS)
        assert draw(self.task, image, found, OPTIONS.drawing).shape == image.shape
        return found


def covered(blob: Blob, image: NDArray[np.uint8]) -> NDArray[np.bool_]:
    x1, y1, x2, y2 = blob.box
    mask = np.zeros(image.shape[:2], bool)
    mask[y1:y2, x1:x2] = True
    return mask


def overlap(a: NDArray[np.bool_], b: NDArray[np.bool_]) -> float:
    return float((a & b).sum() / (a | b).sum())


@pytest.fixture(scope="module", params=["RCNN", "SOLOv2"])
def instances(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Asked:
    folder = tmp_path_factory.mktemp("models") / request.param
    return Asked(export_blob_masks(folder, request.param))


@pytest.mark.parametrize("seed", range(4))
def test_each_object_has_its_pixels(instances: Asked, seed: int) -> None:
    image, blobs = draw_blobs(seed)
    found = instances.network.found(instances.output(image), OPTIONS)
    assert len(found) == len(blobs)
    for blob in blobs:
        truth = covered(blob, image)
        overlaps = [overlap(mask.decode(), truth) for mask in found.masks]
        assert max(overlaps) > 0.8
        assert found.class_ids[np.argmax(overlaps)] == blob.class_id
    assert instances.answer(image).detections is not None


@pytest.mark.parametrize("size", [(1, 1), (320, 240)])
def test_a_picture_without_objects_has_none(instances: Asked, size: tuple[int, int]) -> None:
    image = paint(size, [])
    found = instances.network.found(instances.output(image), OPTIONS)
    assert len(found) == 0
    answer = instances.answer(image)
    assert (draw(instances.task, image, answer, OPTIONS.drawing) == image).all()


def test_what_is_in_front_is_opaque(tmp_path: Path) -> None:
    asked = Asked(export_blob_matting(tmp_path / "matting"))
    image, blobs = draw_blobs(3)
    mask = asked.answer(image).mask
    assert mask is not None
    front = mask > 127
    truth = np.logical_or.reduce([covered(blob, image) for blob in blobs])
    assert overlap(front, truth) > 0.9
    assert asked.answer(paint((1, 1), [])).mask is not None


def test_things_and_stuff_are_segments(tmp_path: Path) -> None:
    asked = Asked(export_blob_panoptic(tmp_path / "panoptic"))
    image, blobs = draw_blobs(3)
    answer = asked.answer(image)
    assert answer.classes is not None
    assert {one.label for one in answer.classes} == {"background"} | {
        LABELS[blob.class_id] for blob in blobs
    }
    segments = answer.segments
    assert segments is not None
    assert [one.is_thing for one in segments] == [False, *[True] * (len(segments) - 1)]
    for one in segments[1:]:
        mine = [covered(blob, image) for blob in blobs if blob.class_id == one.class_id - 1]
        assert one.area == pytest.approx(np.logical_or.reduce(mine).sum(), rel=0.2)
