import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

import pytest

from core.items import ItemRef
from core.work import Hold, WorkUnit
from tests.workshop import new_run
from worker.run import ShardRun
from worker.watchdog import EXIT_STALLED, Accused, Watchdog


class Ward:
    """Runs under a watchdog, and the status with which it ended the process."""

    def __init__(self, *runs: ShardRun) -> None:
        self.status: int | None = None
        self.accused: dict[int, list[str]] = {}
        self.watchdog = Watchdog(lambda: runs, stall_seconds=60.0, accuse=self._note, end=self._end)

    def _note(self, accused: Accused) -> None:
        self.accused = {
            run.unit.hold.shard: [i.key for i in items] for run, items in accused.items()
        }

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

from worker.run import ShardRun

unit = SimpleNamespace(hold=SimpleNamespace(shard=1))
runs = [ShardRun(unit, lease_seconds=1, margin=0) for _ in range(2)]
for run, idle in zip(runs, (1000.0, 61.0)):
    run.moved_at = time.monotonic() - idle
Watchdog(lambda: runs, stall_seconds=60.0).tick()
"""
    ended = subprocess.run(
        [sys.executable, "-P", "-c", code], capture_output=True, text=True, check=False
    )
    assert ended.returncode == EXIT_STALLED
    assert "in tick" in ended.stderr


def late(run: ShardRun) -> ExitStack:
    """Two pictures being decoded, the first of which takes too long."""
    stack = ExitStack()
    step = stack.enter_context(run.steps.picture("decode", ItemRef(0, "bomb.jpg"), 0))
    stack.enter_context(run.steps.picture("decode", ItemRef(1, "sound.jpg"), 0))
    step.until = time.monotonic() - 1
    return stack


def test_a_picture_that_takes_too_long_is_named_while_others_go_on(unit: WorkUnit) -> None:
    guilty = run(unit, idle=0.0)
    other = run(replace(unit, hold=Hold(77, 1)), idle=0.0)
    ward = Ward(guilty, other)
    with late(guilty):
        assert not ward.watchdog.tick()  # the process may have been stopped until now
        assert ward.watchdog.tick()
    assert ward.status == EXIT_STALLED
    assert ward.accused == {unit.hold.shard: ["bomb.jpg"], 77: []}


def test_a_picture_that_is_done_by_the_second_look_is_not(unit: WorkUnit) -> None:
    one = run(unit, idle=0.0)
    ward = Ward(one)
    with late(one):
        assert not ward.watchdog.tick()
    assert not ward.watchdog.tick()
    with late(one):
        assert not ward.watchdog.tick()


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
