import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from core.errors import BadInputError, FatalError, RegattaError, RetryableError
from core.items import ItemRef
from core.work import Directive, WorkUnit
from store.parts import ResultRow
from tests.workshop import PATIENCE, Gate, new_run
from worker.pipeline.budget import ByteBudget
from worker.pipeline.stage import Stage
from worker.pipeline.ticket import Ticket
from worker.run import ShardRun

Do = Callable[[Ticket], None]
MODEL: Any = None  # no stage looks at it


@pytest.fixture
def stages() -> Iterator[list[Stage]]:
    """Stages to be closed at the end."""
    started: list[Stage] = []
    yield started
    for stage in started:
        stage.close()


def ran(unit: WorkUnit, work: Do, then: Do | None = None, *, count: int = 1) -> ShardRun:
    """Send `count` items through a stage and wait until it is empty."""
    run = new_run(unit)
    stage = Stage("test", work, then or leave, threads=1, depth=2)
    for index in range(count):
        run.enter(count + 1)
        stage.put(Ticket(run, ItemRef(index, f"{index}.png"), MODEL, ByteBudget(1), size=(8, 6)))
    stage.close()
    assert stage.load == 0
    return run


def leave(ticket: Ticket) -> None:
    row = ResultRow.quarantined(ticket.item, task="t", model="m", reason="went through")
    ticket.run.leave(ticket.item, [row])


def reasons(run: ShardRun, count: int = 1) -> list[str | None]:
    return [row.reason for row in run.rows([ItemRef(index, "") for index in range(count)])]


def raising(error: BaseException, *, at: int = 0) -> Do:
    def work(ticket: Ticket) -> None:
        if ticket.item.index == at:
            raise error

    return work


def test_work_goes_on_to_the_next_stage(unit: WorkUnit) -> None:
    run = ran(unit, lambda ticket: None, count=3)
    assert reasons(run, 3) == ["went through"] * 3
    assert list(run.seconds) == ["test"]


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (BadInputError("decode_failed", "no picture"), "decode_failed: no picture"),
        (KeyError("x"), "internal_error: test: KeyError: 'x'"),
    ],
)
def test_what_is_wrong_with_an_item_ends_that_item(
    unit: WorkUnit, error: Exception, reason: str
) -> None:
    run = ran(unit, raising(error, at=1), count=3)
    assert reasons(run, 3) == ["went through", reason, "went through"]
    assert run.rows([ItemRef(1, "")])[0].width == 8


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (RetryableError("disk full"), RetryableError),
        (FatalError("no such input"), FatalError),
        (MemoryError(), RetryableError),
    ],
)
def test_what_is_wrong_with_the_world_ends_the_run(
    unit: WorkUnit, error: Exception, kind: type[RegattaError]
) -> None:
    run = ran(unit, raising(error, at=1), count=3)
    with pytest.raises(kind):
        reasons(run, 3)


def test_items_of_a_stopping_run_are_dropped_unworked(unit: WorkUnit) -> None:
    seen: list[int] = []

    def work(ticket: Ticket) -> None:
        seen.append(ticket.item.index)
        ticket.run.stop(Directive.HAND_BACK)

    run = ran(unit, work, count=2)
    assert seen == [0]
    with pytest.raises(RegattaError, match="hand_back"):
        reasons(run, 2)


def test_a_failing_hand_over_loses_neither_the_thread_nor_the_ticket(unit: WorkUnit) -> None:
    run = ran(unit, lambda ticket: None, raising(ValueError("bug")), count=2)
    with pytest.raises(RetryableError, match="bug"):
        reasons(run, 2)


def test_a_full_stage_holds_back_who_puts(unit: WorkUnit, stages: list[Stage]) -> None:
    gate, done = Gate(), threading.Event()
    run = new_run(unit)
    stage = Stage("test", gate.wait, leave, threads=1, depth=1)
    stages.append(stage)

    def feed() -> None:
        for index in range(4):
            run.enter(10)
            stage.put(Ticket(run, ItemRef(index, ""), MODEL, ByteBudget(1)))
        done.set()

    feeder = threading.Thread(target=feed)
    feeder.start()
    gate.until_reached()
    # One at work, one in the queue, at most one in the feeder's hands.
    assert not done.is_set()
    assert stage.load <= 3
    gate.open()
    feeder.join(PATIENCE)
    assert reasons(run, 4) == ["went through"] * 4


def test_every_thread_of_a_stage_works(unit: WorkUnit, stages: list[Stage]) -> None:
    meeting: Any = threading.Barrier(3, timeout=PATIENCE)
    run = new_run(unit)
    stage = Stage("test", lambda _: meeting.wait(), leave, threads=3, depth=3)
    stages.append(stage)
    for index in range(3):
        run.enter(10)
        stage.put(Ticket(run, ItemRef(index, ""), MODEL, ByteBudget(1)))
    assert reasons(run, 3) == ["went through"] * 3
