"""A database that stays locked; disks that are full or may not be written; deleted outputs."""

import os
import shutil
import sqlite3
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import update

from core.states import JobMoves, JobState, ShardState
from store import jobs
from store.tables import Shard
from tests.acceptance.environment import SHORT_LEASES
from tests.acceptance.fleet import Fleet
from tests.acceptance.outcome import Outcome, outcome


def test_a_database_that_stays_locked_for_longer_than_a_lease(
    fleet: Fleet, pictures: Path, model: Path, undisturbed: Outcome
) -> None:
    fleet.settings |= SHORT_LEASES
    fleet.start()
    fleet.close_gate()
    job = fleet.submit(pictures, model)
    fleet.until_held()
    connection = sqlite3.connect(fleet.folder / "regatta.db", isolation_level=None, timeout=10)
    connection.execute("BEGIN IMMEDIATE")
    fleet.open_gate()
    fleet.until(
        lambda: all(
            (shard.lease_until or 0.0) < time.time()
            for shard in fleet.shards(job, ShardState.RUNNING)
        ),
        "the leases are over",
    )
    connection.execute("ROLLBACK")
    connection.close()
    assert outcome(fleet, job) == undisturbed


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of one megabyte."""
    place = tmp_path / "disk"
    place.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(place)]
    mounted = subprocess.run(command, capture_output=True, check=False)
    if mounted.returncode:
        pytest.skip(f"only root can mount a small disk: {mounted.stderr.decode().strip()}")
    yield place
    subprocess.run(["umount", "--lazy", str(place)], check=True)


def test_a_full_disk_only_delays(
    fleet: Fleet, small_disk: Path, pictures: Path, model: Path, undisturbed: Outcome
) -> None:
    fleet.start()
    fleet.close_gate()
    job = fleet.submit(pictures, model, output=str(small_disk / "output"))
    fleet.until_held()
    ballast = small_disk / "ballast"
    _fill(ballast)
    fleet.open_gate()
    failed = fleet.until(
        lambda: [s for s in fleet.shards(job) if "No space left" in (s.error or "")],
        "a shard finds the disk full",
    )
    assert not {s.state for s in failed} & {ShardState.DONE, ShardState.FAILED}
    assert {s.tries for s in failed} == {0}
    ballast.unlink()
    _come_again(fleet)
    assert outcome(fleet, job) == undisturbed
    assert {s.tries for s in fleet.shards(job)} == {1}


@pytest.mark.proof
def test_an_output_that_becomes_read_only_is_waited_for(
    fleet: Fleet, small_disk: Path, pictures: Path, model: Path, undisturbed: Outcome
) -> None:
    fleet.start(MAX_TRIES="1")
    fleet.close_gate()
    job = fleet.submit(pictures, model, output=str(small_disk / "output"))
    fleet.until_held()
    _remount(small_disk, "ro")
    fleet.open_gate()
    met = fleet.until(
        lambda: [s for s in fleet.shards(job) if "Read-only" in (s.error or "")],
        "a shard finds its output read-only",
    )
    assert {s.tries for s in met} == {0}
    assert f"let the workers write to {small_disk}" in str(met[0].error)
    _remount(small_disk, "rw")
    _come_again(fleet)
    assert outcome(fleet, job) == undisturbed


@pytest.mark.proof
def test_a_job_on_a_read_only_output_can_be_cancelled_and_continued(
    fleet: Fleet, small_disk: Path, pictures: Path, model: Path, undisturbed: Outcome
) -> None:
    fleet.start()
    fleet.close_gate()
    job = fleet.submit(pictures, model, output=str(small_disk / "output"))
    fleet.until_held()
    _remount(small_disk, "ro")
    fleet.db.write(lambda s: jobs.stop(s, job, JobMoves.CANCEL, now=time.time()))
    fleet.open_gate()
    ended = fleet.until_ended(job)
    assert ended.state is JobState.CANCELLED
    assert "manifest.json could not be written" in str(ended.error)
    _remount(small_disk, "rw")
    fleet.db.write(lambda s: jobs.reopen(s, job, now=time.time()))
    assert outcome(fleet, job) == undisturbed


@pytest.mark.parametrize("deleted", ["", pytest.param("items", marks=pytest.mark.proof)])
def test_a_job_whose_output_is_deleted_fails_and_harms_no_other(
    fleet: Fleet, pictures: Path, model: Path, undisturbed: Outcome, deleted: str
) -> None:
    fleet.start()
    fleet.close_gate()
    job = fleet.submit(pictures, model)
    fleet.until_held()
    others = [fleet.submit(pictures, model) for _ in range(2)]
    shutil.rmtree(Path(fleet.job(job).output) / deleted)
    fleet.open_gate()
    ended = fleet.until_ended(job)
    assert ended.state is JobState.FAILED
    assert "which this job needs, is gone from its output" in str(ended.error)
    for other in others:
        assert outcome(fleet, other) == undisturbed


def _come_again(fleet: Fleet) -> None:
    """Let what waits come at once."""
    pending = update(Shard).where(Shard.state == ShardState.PENDING)
    fleet.db.write(lambda s: s.execute(pending.values(available_at=0.0)))


def _remount(place: Path, how: str) -> None:
    subprocess.run(["mount", "-o", f"remount,{how}", str(place)], check=True)


def _fill(path: Path) -> None:
    with path.open("wb", buffering=0) as file:
        room = os.statvfs(path)
        file.write(bytes(room.f_bavail * room.f_frsize))
        try:
            while True:  # what a partly used block leaves
                file.write(bytes(64))
        except OSError:
            return
