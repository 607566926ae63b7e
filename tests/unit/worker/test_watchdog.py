import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from core.work import WorkUnit
from tests.workshop import new_run
from worker.run import ShardRun
from worker.watchdog import EXIT_STALLED, Watchdog


class Ward:
    """Runs under a watchdog, and the status with which it ended the process."""

    def __init__(self, *runs: ShardRun) -> None:
        self.status: int | None = None
        self.watchdog = Watchdog(lambda: runs, stall_seconds=60.0, end=self._end)

    def _end(self, status: int) -> None:
        self.status = status


def run(unit: WorkUnit, *, idle: float) -> ShardRun:
    made = new_run(unit)
    made.moved_at = time.monotonic() - idle
    return made


@pytest.fixture(autouse=True)
def stderr(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Path]:
    """Where stacks go, as pytest's own capture has no file."""
    path = tmp_path / "stderr"
    with path.open("w") as file:
        monkeypatch.setattr(sys, "__stderr__", file)
        yield path


def test_a_process_without_work_is_left_alone() -> None:
    ward = Ward()
    assert not ward.watchdog.tick()
    assert ward.status is None


def test_one_run_that_moves_is_enough(unit: WorkUnit) -> None:
    ward = Ward(run(unit, idle=1000.0), run(unit, idle=1.0))
    assert not ward.watchdog.tick()
    assert ward.status is None


def test_a_process_in_which_nothing_moves_is_ended_and_shows_its_stacks() -> None:
    # In a process of its own: stacks are shown of a hundred threads only, and tests leave some.
    code = """
import time
from types import SimpleNamespace

import regatta
from worker.watchdog import Watchdog

unit = SimpleNamespace(hold=SimpleNamespace(shard=1))
runs = [SimpleNamespace(unit=unit, moved_at=time.monotonic() - idle) for idle in (1000.0, 61.0)]
Watchdog(lambda: runs, stall_seconds=60.0).tick()
"""
    ended = subprocess.run(
        [sys.executable, "-P", "-c", code], capture_output=True, text=True, check=False
    )
    assert ended.returncode == EXIT_STALLED
    assert "in tick" in ended.stderr


def test_it_is_ended_even_with_nowhere_to_show_them(
    unit: WorkUnit, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    closed = (tmp_path / "closed").open("w")
    closed.close()
    monkeypatch.setattr(sys, "__stderr__", closed)
    ward = Ward(run(unit, idle=61.0))
    with pytest.raises(ValueError, match="closed"):
        ward.watchdog.tick()
    assert ward.status == EXIT_STALLED


def test_it_watches_until_it_is_closed(unit: WorkUnit) -> None:
    ward = Ward(run(unit, idle=1.0))
    ward.watchdog.start()
    ward.watchdog.close()
    assert not ward.watchdog._thread.is_alive()
