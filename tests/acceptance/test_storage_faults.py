"""A database that stays locked, and a disk that is full."""

import os
import sqlite3
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from core.states import ShardState
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
    ballast.unlink()
    assert outcome(fleet, job) == undisturbed


def _fill(path: Path) -> None:
    with path.open("wb", buffering=0) as file:
        room = os.statvfs(path)
        file.write(bytes(room.f_bavail * room.f_frsize))
        try:
            while True:  # what a partly used block leaves
                file.write(bytes(64))
        except OSError:
            return
