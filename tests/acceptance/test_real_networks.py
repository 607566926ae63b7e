"""Real inference: Paddle runs networks that find what the pictures were drawn from."""

from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from tests.acceptance.environment import SHORT_LEASES
from tests.acceptance.fleet import Fleet
from tests.acceptance.outcome import outcome
from tests.scenes import LABELS, Blob, draw_blobs, tolerance

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


def test_a_killed_worker_changes_nothing_of_what_paddle_finds(
    fleet: Fleet,
    scenes: tuple[Path, dict[str, list[Blob]]],
    blob_detector: Path,
    blob_detr: Path,
) -> None:
    fleet.settings |= SHORT_LEASES
    folder, truth = scenes
    fleet.start(workers=0)
    engine = {"ENGINE": "worker.predictors.paddle"}
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


def _check(row: dict[str, Any], blobs: list[Blob]) -> None:
    slack = tolerance((row["width"], row["height"]))
    found = sorted((d["class_id"], d["box"], d["label"]) for d in row["detections"])
    drawn = sorted((blob.class_id, list(blob.box)) for blob in blobs)
    assert [class_id for class_id, _, _ in found] == [class_id for class_id, _ in drawn]
    for (class_id, box, label), (_, true_box) in zip(found, drawn, strict=True):
        assert label == LABELS[class_id]
        assert np.abs(np.subtract(box, true_box)).max() <= slack, row["item"]
