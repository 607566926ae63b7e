"""Real inference: Paddle runs networks that find what the pictures were drawn from."""

import json
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from core.layout import MANIFEST
from core.profile import NetworkProfile
from core.tasks import SEGMENT
from core.ways import Way
from store.locations import open_store
from tests.acceptance.environment import SHORT_LEASES
from tests.acceptance.fleet import Fleet
from tests.acceptance.outcome import outcome
from tests.bench import OPTIONS
from tests.nets import export_coarse_segmenter
from tests.scenes import LABELS, Blob, draw_blobs, tolerance
from vision.draw.by_task import encode_mask_of
from vision.exports.export import read_export
from worker.engines.paddle import engine as paddle
from worker.networks.network import stacked
from worker.networks.segmenter import Segmenter

SIZES = [(320, 240), (240, 320), (128, 128)]
COUNT = 21


@pytest.fixture(scope="module")
def scenes(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, list[Blob]]]:
    """A folder of drawn pictures, and what each shows."""
    folder = tmp_path_factory.mktemp("scenes")
    truth = {}
    for seed in range(COUNT):
        image, blobs = draw_blobs(seed, SIZES[seed % len(SIZES)])
        name = f"{seed:02d}.png"
        assert cv2.imwrite(str(folder / name), image)
        truth[name] = blobs
    return folder, truth


@pytest.fixture(scope="module")
def coarse_segmenter(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return export_coarse_segmenter(tmp_path_factory.mktemp("models") / "coarse_segmenter")


@pytest.mark.proof
def test_a_killed_worker_changes_nothing_of_what_paddle_finds(
    fleet: Fleet,
    scenes: tuple[Path, dict[str, list[Blob]]],
    blob_detector: Path,
    blob_detr: Path,
) -> None:
    fleet.settings |= SHORT_LEASES
    folder, truth = scenes
    fleet.start(workers=0)
    engine = {"ENGINES": "paddle"}
    first = fleet.start_worker(**engine)
    models = [blob_detector, blob_detector, blob_detr]
    jobs = [fleet.submit(folder, m, shard_items=4, batch_size=None) for m in models]
    fleet.until(lambda: fleet.tally(jobs[0]).succeeded, "a shard is committed")
    fleet.kill(first)
    fleet.start_worker(**engine)
    ended = [outcome(fleet, job) for job in jobs]
    assert ended[0] == ended[1]
    for one in ended:
        assert one.state == "succeeded"
        assert [row["item"] for row in one.rows] == sorted(truth)
        for row in one.rows:
            _check(row, truth[row["item"]])


def test_a_network_that_onednn_gets_wrong_runs_right(
    fleet: Fleet, scenes: tuple[Path, dict[str, list[Blob]]], coarse_segmenter: Path
) -> None:
    folder, truth = scenes
    fleet.start(ENGINES="paddle")
    job = fleet.submit(folder, coarse_segmenter, shard_items=8)
    rows = outcome(fleet, job).rows
    assert [row["item"] for row in rows] == sorted(truth)
    right, wrong = (Masks(coarse_segmenter, way) for way in (Way.PLAIN, Way.ONEDNN))
    output = open_store(fleet.job(job).output)
    moved = 0
    for row in rows:
        image = cv2.imread(str(folder / row["item"]))
        mask = output.get(row["mask"])
        assert mask == right.of(image), row["item"]
        moved += mask != wrong.of(image)
    assert moved > COUNT // 2, "the network must be one that oneDNN gets wrong"

    profile = fleet.job(job).profile
    assert profile is not None
    [network] = profile["networks"].values()
    assert network["way"] == "onednn_unplaced"
    assert network["why"].startswith("compared on 4 pictures: ")
    manifest = json.loads(output.get(MANIFEST))
    assert manifest["profile"] == manifest["profiles"][0] == profile
    assert {part["profile"] for part in manifest["parts"]} == {0}


class Masks:
    """What a segmentation model says of pictures if it runs in one way."""

    def __init__(self, model: Path, way: Way) -> None:
        export = read_export(model)
        self._network = Segmenter(export)
        profile = NetworkProfile(paddle.offers()[0].offer, batch_size=1)
        self._predictor = paddle.load_predictor(
            export.model_file, export.params_file, profile=profile, way=way
        )

    def of(self, image: Any) -> bytes:
        batch = [self._network.prepare(image)]
        outputs = self._predictor.predict(stacked(batch, 1))
        [output] = self._network.split(outputs, batch, 1)
        size_wh = (image.shape[1], image.shape[0])
        mask = self._network.read(output, size_wh, OPTIONS).mask
        assert mask is not None
        return encode_mask_of(SEGMENT, mask)


def _check(row: dict[str, Any], blobs: list[Blob]) -> None:
    slack = tolerance((row["width"], row["height"]))
    found = sorted((d["class_id"], d["box"], d["label"]) for d in row["detections"])
    drawn = sorted((blob.class_id, list(blob.box)) for blob in blobs)
    assert [class_id for class_id, _, _ in found] == [class_id for class_id, _ in drawn]
    for (class_id, box, label), (_, true_box) in zip(found, drawn, strict=True):
        assert label == LABELS[class_id]
        assert np.abs(np.subtract(box, true_box)).max() <= slack, row["item"]
