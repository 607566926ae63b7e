import threading
import time
from typing import Any

import pytest

from core.errors import FatalError, RegattaError, RetryableError, StaleError
from core.items import ItemRef
from core.work import Directive, WorkUnit
from store.parts import ResultRow
from tests.workshop import PATIENCE, new_run
from worker.run import ShardRun, StoppedError


def row(index: int, frame: int | None = None) -> ResultRow:
    return ResultRow.quarantined(item(index), task="t", model="m", reason="r", frame=frame)


def item(index: int) -> ItemRef:
    return ItemRef(index, f"{index}.png")


def let_in(run: ShardRun, count: int) -> None:
    for _ in range(count):
        run.enter(count + 1)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The monotonic time, as the test says."""
    now = [time.monotonic()]
    monkeypatch.setattr("worker.run.time.monotonic", lambda: now[0])
    return now


def leave(run: ShardRun, row: ResultRow | None) -> None:
    of = row or ResultRow.quarantined(item(0), task="", model="", reason="")
    run.leave(of.item, of.frame, None if row is None else [row])


def test_rows_come_back_in_the_order_asked_for(unit: WorkUnit) -> None:
    run = new_run(unit)
    let_in(run, 3)
    for index in (2, 0, 1):
        leave(run, row(index))
    assert [r.item.index for r in run.rows([item(i) for i in range(3)])] == [0, 1, 2]
    assert run.done == 3


def test_frames_of_an_item_come_back_in_their_order(unit: WorkUnit) -> None:
    run = new_run(unit)
    ended = [(1, 10), (0, 2), (1, 9), (0, None), (0, 0)]
    let_in(run, len(ended))
    for index, frame in ended:
        leave(run, row(index, frame))
    rows = run.rows([item(0), item(1)])
    assert [(r.item.index, r.frame) for r in rows] == [
        *[(0, None), (0, 0), (0, 2)],
        *[(1, 9), (1, 10)],
    ]
    assert run.done == 2


def test_an_item_that_got_no_row_is_not_passed_over(unit: WorkUnit) -> None:
    run = new_run(unit)
    let_in(run, 1)
    leave(run, row(0))
    with pytest.raises(KeyError):
        run.rows([item(0), item(1)])


def test_rows_wait_for_what_is_in_flight(unit: WorkUnit) -> None:
    run = new_run(unit)
    let_in(run, 1)
    threading.Thread(target=leave, args=(run, row(0))).start()
    assert len(run.rows([item(0)])) == 1


def test_no_more_than_the_window_are_in_flight(
    unit: WorkUnit, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = new_run(unit)
    full, wait = threading.Event(), run._changed.wait

    def noted(timeout: float | None = None) -> bool:
        full.set()
        return wait(timeout)

    monkeypatch.setattr(run._changed, "wait", noted)
    run.enter(2)
    run.enter(2)
    assert not full.is_set()
    third = threading.Thread(target=run.enter, args=(2,))
    third.start()
    assert full.wait(PATIENCE)
    assert run._in_flight == 2
    leave(run, row(0))
    third.join(PATIENCE)
    assert run._in_flight == 2


@pytest.mark.parametrize("directive", [Directive.HAND_BACK, Directive.CANCEL, Directive.STALE])
def test_a_stopped_run_says_why(unit: WorkUnit, directive: Directive) -> None:
    run = new_run(unit)
    let_in(run, 1)
    run.check()
    run.stop(directive)
    assert run.stopping
    with pytest.raises(StoppedError) as stopped:
        run.enter(10)
    assert stopped.value.directive is directive
    leave(run, None)
    with pytest.raises(StoppedError):
        run.rows([item(0)])


def test_stopping_wakes_who_waits_to_get_in(unit: WorkUnit) -> None:
    run = new_run(unit)
    run.enter(1)
    threading.Thread(target=run.stop, args=(Directive.CANCEL,)).start()
    with pytest.raises(StoppedError):
        run.enter(1)


def test_a_failed_run_raises_only_when_nothing_is_in_flight(unit: WorkUnit) -> None:
    run = new_run(unit)
    let_in(run, 2)
    run.fail(RetryableError("disk full"))
    leave(run, None)
    leaving = threading.Thread(target=leave, args=(run, None))
    leaving.start()
    with pytest.raises(RetryableError, match="disk full"):
        run.rows([item(0), item(1)])
    assert run._in_flight == 0


def test_the_first_reason_stands_unless_the_whole_job_is_lost(unit: WorkUnit) -> None:
    run = new_run(unit)
    run.stop(Directive.HAND_BACK)
    run.fail(RetryableError("later"))
    with pytest.raises(StoppedError):
        run.check()
    run.fail(FatalError("no such model"))
    run.stop(Directive.CANCEL)
    with pytest.raises(FatalError):
        run.check()


def test_a_lease_ends_before_others_may_take_it(unit: WorkUnit, clock: list[float]) -> None:
    run = ShardRun(unit, lease_seconds=30.0, margin=5.0)
    clock[0] += 25.0
    run.check()
    clock[0] += 0.1
    assert run.stopping
    assert run.lost
    with pytest.raises(StaleError):
        run.check()


def test_a_renewal_counts_from_when_it_was_asked_for(unit: WorkUnit, clock: list[float]) -> None:
    run = ShardRun(unit, lease_seconds=30.0, margin=5.0)
    asked = clock[0] + 10.0
    clock[0] += 20.0
    run.renewed(asked)
    clock[0] = asked + 24.9
    run.check()
    clock[0] = asked + 25.1
    with pytest.raises(StaleError):
        run.check()


def test_a_lost_lease_stays_lost_as_items_were_dropped_for_it(
    unit: WorkUnit, clock: list[float]
) -> None:
    run = ShardRun(unit, lease_seconds=30.0, margin=5.0)
    let_in(run, 1)
    clock[0] += 26.0
    run.renewed(clock[0])
    leave(run, None)
    with pytest.raises(StaleError):
        run.rows([item(0)])


def test_work_done_is_progress(unit: WorkUnit, clock: list[float]) -> None:
    run = new_run(unit)
    clock[0] += 7.0
    run.moved("fetch", 0.5)
    run.moved("fetch", 0.25)
    run.moved("decode", 1.0)
    assert run.moved_at == clock[0]
    assert run.seconds == {"decode": 1.0, "fetch": 0.75}


def test_items_run_alone_count_as_done(unit: WorkUnit) -> None:
    run = new_run(unit)
    run.count_isolated(3)
    assert run.done == 3


def test_a_reason_to_stop_is_an_error_of_ours(unit: WorkUnit) -> None:
    run: Any = new_run(unit)
    run.stop(Directive.CANCEL)
    with pytest.raises(RegattaError, match="cancel"):
        run.check()
