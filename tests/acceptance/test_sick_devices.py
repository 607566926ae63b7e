"""A device that fails for good, in real processes: it costs no item, and is left out."""

import socket
from pathlib import Path

import pytest

from config.settings import Settings
from report.snapshot import snapshot
from store import devices
from tests.acceptance.fleet import Fleet
from tests.acceptance.outcome import Outcome, outcome
from tests.acceptance.pictures import picture, write_picture
from worker.health import EXIT_SICK, this_device


@pytest.mark.proof
def test_a_device_that_fails_for_good_is_left_out_and_no_item_is_lost(
    fleet: Fleet, pictures: Path, model: Path, undisturbed: Outcome
) -> None:
    sick = fleet.folder / "sick"
    fleet.settings |= {"STANDIN_SICK": str(sick), "STANDIN_SOUND_RUNS": "1"}
    fleet.start(workers=0)
    job = fleet.submit(pictures, model)
    sick.touch()
    codes = []
    while not fleet.db.read(lambda s: devices.left_out(s, [socket.gethostname()])):
        codes.append(fleet.start_worker().wait(60))
    assert set(codes) == {EXIT_SICK}
    idle = fleet.start_worker()
    fleet.until(lambda: fleet.processes("worker"), "the worker says what it offers")
    assert [process.offers for process in fleet.processes("worker")] == [[]]
    assert "device left out" in fleet.log(idle)
    seen = snapshot(fleet.db, Settings(home=fleet.folder, database_url=fleet.db.url), job)
    # As an item's failure, or as that of the good input which a process begins with.
    [out] = seen["left_out"]
    assert out["error"].removeprefix("predict_failed: ") == "the device is gone"
    assert seen["queue_without_consumer"] == "detect"
    assert seen["items"]["quarantined"] == 0
    assert {shard.tries for shard in fleet.shards(job)} <= {0, 1}

    fleet.stop(idle)
    sick.unlink()
    fleet.db.write(lambda s: devices.forgive(s, this_device()))  # as whoever starts anew does
    fleet.start_worker()
    assert outcome(fleet, job) == undisturbed


@pytest.mark.proof
def test_a_picture_after_which_every_engine_fails_is_the_only_one_quarantined(
    fleet: Fleet, tmp_path: Path, model: Path
) -> None:
    (tmp_path / "in").mkdir()
    for seed in range(6):
        mark = "curse" if seed == 2 else None
        write_picture(tmp_path / "in" / f"{seed}.png", picture(seed, mark=mark))
    fleet.start(workers=0)
    job = fleet.submit(tmp_path / "in", model)
    ended = outcome(fleet, job, keep_working=True, STANDIN_ARMED="curse")
    assert ended.reasons == {"2.png": "killed_process"}
