"""Suspects: what a death proves, on scripted children; and the real deaths of real processes."""

import multiprocessing
import os
import pickle
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from core.errors import FatalError, RetryableError, StaleError
from core.items import ItemRef
from core.options import ModelRef
from core.profile import ExecutionProfile
from core.sources import parse_source
from core.states import ItemState
from core.work import Directive, WorkUnit
from store.parts import ResultRow
from tests.acceptance import standin
from tests.acceptance.pictures import encoded, picture, write_model
from tests.bench import Bench
from tests.workshop import PATIENCE, new_run
from vision.exports.export import export_digest
from worker import suspects
from worker.run import ShardRun, StoppedError
from worker.suspects import DiedError, run_suspects

# Scripted children


class Script:
    """What children do with a range of items: die of it, or give each a row.

    `how` is told the positions. `ranges` are those that were tried, by child.
    """

    def __init__(self) -> None:
        self.how: Callable[[list[int]], None] = lambda _: None
        self.ranges: list[list[list[int]]] = []
        self.killed = 0

    def child(self, unit: WorkUnit, *, stall_seconds: float) -> "ScriptedChild":
        self.ranges.append([])
        return ScriptedChild(self, unit)


class ScriptedChild:
    def __init__(self, script: Script, unit: WorkUnit) -> None:
        self._script, self._unit = script, unit

    def rows(self, run: ShardRun, items: Sequence[ItemRef]) -> list[ResultRow]:
        positions = [item.index for item in items]
        self._script.ranges[-1].append(positions)
        self._script.how(positions)
        return [
            ResultRow(item=item, task="detect", model="m", state=ItemState.SUCCEEDED)
            for item in items
        ]

    def kill(self) -> None:
        self._script.killed += 1


@pytest.fixture
def script(monkeypatch: pytest.MonkeyPatch) -> Script:
    script = Script()
    monkeypatch.setattr(suspects, "Child", script.child)
    return script


ITEMS = [ItemRef(index, f"{index}.png") for index in range(10)]  # batches of 4, 4 and 2


@pytest.fixture
def run(bench: Bench) -> ShardRun:
    return claimed(bench)


def claimed(bench: Bench, **changes: Any) -> ShardRun:
    """The run of a held shard of ten items."""
    bench.job("a", [10])
    [hold] = bench.queue("a")
    unit = bench.claim(hold)
    assert isinstance(unit, WorkUnit)
    return new_run(replace(unit, **changes))


def guilty(*bad: int, proves: bool = True, times: int = 1000) -> Callable[[list[int]], None]:
    left = [times]

    def die(positions: list[int]) -> None:
        if left[0] and set(bad).intersection(positions):
            left[0] -= 1
            raise DiedError("SIGABRT", proves=proves)

    return die


def quarantined(rows: Sequence[ResultRow]) -> list[int]:
    return [row.item.index for row in rows if row.state is ItemState.QUARANTINED]


def test_an_innocent_suspect_runs_in_one_child_a_batch_at_a_time(
    bench: Bench, script: Script, run: ShardRun
) -> None:
    rows = run_suspects(run, ITEMS, bench.db, at_once=4, stall_seconds=1.0)
    assert [row.item for row in rows] == ITEMS
    assert script.ranges == [[[0, 1, 2, 3], [4, 5, 6, 7], [8, 9]]]
    assert script.killed == 1
    assert run.done == 10


def test_the_item_that_kills_twice_alone_is_quarantined_and_no_other(
    bench: Bench, script: Script, run: ShardRun
) -> None:
    script.how = guilty(5)
    rows = run_suspects(run, ITEMS, bench.db, at_once=4, stall_seconds=1.0)
    assert [row.item for row in rows] == ITEMS
    assert quarantined(rows) == [5]
    assert rows[5].reason is not None
    assert rows[5].reason.startswith("killed_process: 2 ")
    assert script.ranges == [[[0, 1, 2, 3], [4, 5, 6, 7]], [[4], [5]], [[5]], [[6], [7], [8, 9]]]
    assert bench.read_shard(run.unit.hold.shard).deaths == {"5": 2}


def test_an_item_that_took_too_long_is_tried_alone_once_and_no_other_is(
    bench: Bench, script: Script, run: ShardRun
) -> None:
    def hang(positions: list[int]) -> None:
        if 5 in positions:
            raise DiedError("took too long", proves=True, overdue=[5])

    script.how = hang
    rows = run_suspects(run, ITEMS, bench.db, at_once=4, stall_seconds=1.0)
    assert quarantined(rows) == [5]
    assert rows[5].reason == "timed_out: it took too long 2 times, the last time alone"
    assert script.ranges == [[[0, 1, 2, 3], [4, 5, 6, 7]], [[4], [5]], [[6], [7], [8, 9]]]
    assert bench.read_shard(run.unit.hold.shard).deaths == {"5": 2}


def test_a_slow_item_that_the_worker_named_is_acquitted_alone(bench: Bench, script: Script) -> None:
    run = claimed(bench, deaths={5: 1})
    assert quarantined(run_suspects(run, ITEMS, bench.db, at_once=4, stall_seconds=1.0)) == []
    assert script.ranges == [[[0, 1, 2, 3], [4], [5], [6], [7], [8, 9]]]


def test_an_item_that_kills_only_in_company_is_not_guilty(
    bench: Bench, script: Script, run: ShardRun
) -> None:
    def die(positions: list[int]) -> None:
        if len(positions) > 1 and 5 in positions:
            raise DiedError("SIGKILL (out of memory)", proves=True)

    script.how = die
    assert quarantined(run_suspects(run, ITEMS, bench.db, at_once=4, stall_seconds=1.0)) == []


def test_deaths_of_an_earlier_attempt_count(bench: Bench, script: Script) -> None:
    script.how = guilty(5)
    run = claimed(bench, deaths={5: 1, 8: 2})
    assert quarantined(run_suspects(run, ITEMS, bench.db, at_once=4, stall_seconds=1.0)) == [5, 8]
    assert [8] not in [tried for child in script.ranges for tried in child]
    assert bench.read_shard(run.unit.hold.shard).deaths == {"5": 2, "8": 2}


def test_what_was_killed_from_outside_is_tried_again(
    bench: Bench, script: Script, run: ShardRun
) -> None:
    script.how = guilty(5, proves=False, times=4)
    assert quarantined(run_suspects(run, ITEMS, bench.db, at_once=4, stall_seconds=1.0)) == []
    assert bench.read_shard(run.unit.hold.shard).deaths == {}


def test_being_killed_from_outside_again_and_again_is_for_later(
    bench: Bench, script: Script, run: ShardRun
) -> None:
    script.how = guilty(5, proves=False)
    with pytest.raises(RetryableError, match="keep being killed"):
        run_suspects(run, ITEMS, bench.db, at_once=4, stall_seconds=1.0)
    assert script.killed == 5


def test_the_range_is_noted_before_it_is_tried(bench: Bench, script: Script, run: ShardRun) -> None:
    noted: list[object] = []
    script.how = lambda _: noted.append(bench.read_shard(run.unit.hold.shard).trial)
    run_suspects(run, ITEMS, bench.db, at_once=4, stall_seconds=1.0)
    assert noted == [{"start": a, "stop": b} for a, b in ((0, 4), (4, 8), (8, 10))]


def test_who_was_overtaken_tries_nothing_more(bench: Bench, script: Script, run: ShardRun) -> None:
    def overtake() -> None:
        assert bench.fail(run.unit.hold)

    script.how = lambda _: overtake()
    with pytest.raises(StaleError):
        run_suspects(run, ITEMS, bench.db, at_once=4, stall_seconds=1.0)
    assert script.ranges == [[[0, 1, 2, 3]]]
    assert script.killed == 1


def test_a_stopped_run_tries_nothing_more(bench: Bench, script: Script, run: ShardRun) -> None:
    script.how = lambda _: run.stop(Directive.HAND_BACK)
    with pytest.raises(StoppedError):
        run_suspects(run, ITEMS, bench.db, at_once=4, stall_seconds=1.0)
    assert script.killed == 1


def test_two_suspects_never_run_at_once(
    bench: Bench, script: Script, run: ShardRun, monkeypatch: pytest.MonkeyPatch
) -> None:
    bench.job("b", [2])
    [hold] = bench.queue("b")
    unit = bench.claim(hold)
    assert isinstance(unit, WorkUnit)
    other, waits, order = new_run(unit), threading.Event(), []
    monkeypatch.setattr(other, "moved", lambda *_: waits.set())
    second = threading.Thread(
        target=lambda: order.append(
            run_suspects(other, ITEMS[:2], bench.db, at_once=4, stall_seconds=1.0)
        )
    )

    def first(positions: list[int]) -> None:
        if positions == [0, 1, 2, 3]:
            second.start()
            assert waits.wait(PATIENCE)
            assert len(script.ranges) == 1

    script.how = first
    run_suspects(run, ITEMS, bench.db, at_once=4, stall_seconds=1.0)
    second.join(PATIENCE)
    assert len(order) == 1


# Real children


@pytest.fixture
def real(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> Callable[..., ShardRun]:
    """Makes runs of suspects over pictures, some with a mark for the stand-in."""
    armed = {
        "REGATTA_ENGINES": standin.__name__,
        "REGATTA_HOME": str(bench.root / "home"),
        "STANDIN_ARMED": "abort,hang",
        "REGATTA_STALL_SECONDS": "2",
        "STANDIN_GATE": str(bench.root / "gate"),
    }
    for name, value in armed.items():
        monkeypatch.setenv(name, value)
    model = write_model(bench.root / "model")
    ref = ModelRef("standin", "detect", export_digest(model), f"file://{model}")
    [offered] = standin.offers()
    profile = ExecutionProfile.of(offered.offer, batch_size=4, jpeg_quality=90)

    def make(*marks: str | None, **changes: Any) -> ShardRun:
        source = bench.root / "source"
        source.mkdir()
        for index, mark in enumerate(marks):
            (source / f"{index}.png").write_bytes(encoded(picture(index, mark=mark), ".png"))
        sources = {"": parse_source(f"{source}/")}
        return claimed(bench, sources=sources, model=ref, frozen_profile=profile, **changes)

    return make


def test_an_item_that_aborts_or_hangs_is_killed_and_quarantined(
    bench: Bench, real: Callable[..., ShardRun]
) -> None:
    run = real(None, "abort", "hang", None, deaths={1: 1, 2: 1})
    rows = run_suspects(run, ITEMS[:4], bench.db, at_once=4, stall_seconds=2.0)
    assert quarantined(rows) == [1, 2]
    assert [str(rows[index].reason).split(":")[0] for index in (1, 2)] == [
        "killed_process",
        "timed_out",
    ]
    assert [row.detections is not None for row in rows] == [True, False, False, True]
    assert bench.read_shard(run.unit.hold.shard).deaths == {"1": 2, "2": 2}
    assert multiprocessing.active_children() == []


def test_a_kill_from_outside_makes_nobody_guilty(
    bench: Bench, real: Callable[..., ShardRun], monkeypatch: pytest.MonkeyPatch
) -> None:
    run, gate = real("gate", None), bench.root / "gate"
    gate.touch()
    moved = run.moved

    def kill_in_the_middle(stage: str, seconds: float) -> None:
        moved(stage, seconds)
        if gate.with_suffix(".waiting").exists() and gate.exists():
            [child] = multiprocessing.active_children()
            assert child.pid is not None
            gate.unlink()
            os.kill(child.pid, signal.SIGKILL)

    monkeypatch.setattr(run, "moved", kill_in_the_middle)
    rows = run_suspects(run, ITEMS[:2], bench.db, at_once=4, stall_seconds=PATIENCE)
    assert not gate.exists()
    assert quarantined(rows) == []
    assert bench.read_shard(run.unit.hold.shard).deaths == {}


def test_a_child_that_cannot_load_the_model_says_so(
    bench: Bench, real: Callable[..., ShardRun], tmp_path: Path
) -> None:
    run = real(None)
    (bench.root / "model" / "model.json").write_text("another")
    with pytest.raises(FatalError, match="not the one"):
        run_suspects(run, ITEMS[:1], bench.db, at_once=4, stall_seconds=PATIENCE)


def test_a_stopped_run_does_not_wait_for_its_child(
    bench: Bench, real: Callable[..., ShardRun], monkeypatch: pytest.MonkeyPatch
) -> None:
    run = real("hang")
    monkeypatch.setattr(run, "moved", lambda *_: run.stop(Directive.HAND_BACK))
    with pytest.raises(StoppedError):
        run_suspects(run, ITEMS[:1], bench.db, at_once=4, stall_seconds=PATIENCE)
    assert multiprocessing.active_children() == []


@pytest.mark.proof
def test_a_control_that_takes_long_is_no_stall(
    bench: Bench, real: Callable[..., ShardRun], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("STANDIN_SECONDS", "0.25")  # 10 of them are longer than a stall
    run = real(None)
    child = suspects.Child(run.unit, stall_seconds=PATIENCE)
    try:
        child.check(run, 10)
    finally:
        child.kill()


def test_out_of_memory_kills_are_counted_where_the_kernel_says(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    group, system = tmp_path / "memory.events", tmp_path / "vmstat"
    monkeypatch.setattr(suspects, "_OOM_COUNTERS", (str(group), str(system)))
    assert suspects._oom_kills() == 0
    system.write_text("nr_free_pages 5\noom_kill 3\n")
    assert suspects._oom_kills() == 3
    group.write_text("low 0\noom 9\noom_kill 7\noom_group_kill 0\n")
    assert suspects._oom_kills() == 7


_ORPHAN = """
import os, pickle, signal, sys
from worker.suspects import Child
unit, items = pickle.loads(sys.stdin.buffer.read())
child = Child(unit, stall_seconds=60)
assert child._pipe.recv().rows == []
child._pipe.send(items)
os.kill(os.getpid(), signal.SIGKILL)
"""


def test_a_hung_child_does_not_outlive_a_killed_worker(
    bench: Bench, real: Callable[..., ShardRun]
) -> None:
    run = real("hang")
    # Its output ends when the child, which has inherited it, does.
    ended = subprocess.run(
        [sys.executable, "-c", _ORPHAN],
        cwd=Path(__file__).parents[2],
        input=pickle.dumps((run.unit, ITEMS[:1])),
        stdout=subprocess.PIPE,
        timeout=PATIENCE,
        check=False,
    )
    assert ended.returncode == -signal.SIGKILL
