"""One bad item harms only itself, whatever it does to the process that runs it."""

import time
from pathlib import Path

import cv2
import numpy as np
import pytest

from tests.acceptance.environment import SHORT_LEASES
from tests.acceptance.fleet import Fleet
from tests.acceptance.outcome import Outcome, outcome
from tests.acceptance.pictures import picture, write_picture, write_pictures

SLOW_WIDTH, HUNG_WIDTH = 70, 71  # as `slow_reader` knows them

ABORTS, HANGS, REFUSED = "09.png", "14.png", "17.png"


def without(whole: Outcome, item: str) -> tuple[list[object], dict[str, str], dict[str, str]]:
    """The rows, parts and pictures in which `item` has no part; it is in the part of its shard."""
    shard = next(n for n, row in enumerate(whole.rows) if row["item"] == item) // 6
    return (
        [row for row in whole.rows if row["item"] != item],
        {key: digest for key, digest in whole.parts.items() if f"{shard:06d}" not in key},
        {key: digest for key, digest in whole.pictures.items() if item not in key},
    )


def test_an_item_that_aborts_its_process_is_found_and_quarantined(
    fleet: Fleet, pictures: Path, model: Path, undisturbed: Outcome
) -> None:
    fleet.settings |= SHORT_LEASES
    fleet.start(workers=0)
    job = fleet.submit(pictures, model)
    ended = outcome(fleet, job, keep_working=True, STANDIN_ARMED="abort")
    assert ended.state == "partial"
    assert ended.reasons == {ABORTS: "killed_process"}
    assert without(ended, ABORTS) == without(undisturbed, ABORTS)
    assert ended.row(ABORTS)["detections"] is None


def test_an_item_that_hangs_is_found_and_quarantined(
    fleet: Fleet, pictures: Path, model: Path, undisturbed: Outcome
) -> None:
    fleet.settings |= SHORT_LEASES
    fleet.start(workers=0)
    job = fleet.submit(pictures, model)
    how = {"STANDIN_ARMED": "hang", "STALL_SECONDS": "2"}
    ended = outcome(fleet, job, keep_working=True, **how)
    assert ended.state == "partial"
    assert ended.reasons == {HANGS: "timed_out"}
    assert without(ended, HANGS) == without(undisturbed, HANGS)


def test_an_item_that_the_network_refuses_leaves_its_batch_alone(
    fleet: Fleet, pictures: Path, model: Path, undisturbed: Outcome
) -> None:
    fleet.start(STANDIN_ARMED="refuse")
    job = fleet.submit(pictures, model)
    ended = outcome(fleet, job)
    assert ended.state == "partial"
    assert ended.reasons == {REFUSED: "predict_failed"}
    assert without(ended, REFUSED) == without(undisturbed, REFUSED)


def test_a_batch_that_does_not_fit_into_memory_is_halved(
    fleet: Fleet, pictures: Path, model: Path, undisturbed: Outcome
) -> None:
    fleet.start(workers=0)
    worker = fleet.start_worker(STANDIN_LARGEST_BATCH="2")
    job = fleet.submit(pictures, model)
    assert outcome(fleet, job) == undisturbed
    assert "batch halved" in fleet.log(worker)


@pytest.mark.proof
def test_a_slow_picture_gets_its_row_and_a_hung_one_takes_no_neighbours_along(
    fleet: Fleet, model: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "slow"
    names = write_pictures(folder)
    for name, width in (("03-slow.bmp", SLOW_WIDTH), ("03-zhung.bmp", HUNG_WIDTH)):
        write_picture(folder / name, cv2.resize(picture(1), (width, 48)).astype(np.uint8))
    fleet.settings |= {"ENGINES": "slow_reader", "PICTURE_SECONDS": "1", "MEGAPIXEL_SECONDS": "0"}
    fleet.start(workers=0)
    job = fleet.submit(folder, model)
    begun = time.monotonic()
    ended = outcome(fleet, job, keep_working=True)
    assert ended.reasons == {"03-zhung.bmp": "timed_out"}
    assert ended.row("03-slow.bmp")["detections"] is not None
    assert len(ended.rows) == len(names) + 2
    assert {shard.tries for shard in fleet.shards(job)} == {1}
    assert time.monotonic() - begun < 60  # the least stall is as long
