import threading
from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import Any

import pytest

from core.errors import BadInputError, FatalError, RegattaError, RetryableError
from core.items import ItemRef
from core.work import Directive, WorkUnit
from tests.workshop import PATIENCE, Gate, new_run
from worker.pipeline.budget import Held, PictureMemory
from worker.pipeline.flow import Finished, Flow, Ticket
from worker.pipeline.stage import Stage
from worker.run import ShardRun

Do = Callable[[Ticket, int], Any]
NOTHING: Any = None  # models and doors, at which no stage looks


class Missing:
    """A sink that only hears of what does not come."""

    def __init__(self, error: Exception | None = None) -> None:
        self.numbers: list[int] = []
        self._error = error

    def encoded(self, ticket: Ticket, finished: Finished) -> Finished:
        raise AssertionError(ticket)

    def put(self, ticket: Ticket, finished: Finished) -> None:
        raise AssertionError(ticket)

    def missing(self, ticket: Ticket) -> None:
        self.numbers.append(ticket.item.index)
        if self._error is not None:
            raise self._error


@pytest.fixture
def stages() -> Iterator[list[Stage[int, Any]]]:
    """Stages to be closed at the end."""
    started: list[Stage[int, Any]] = []
    yield started
    for stage in started:
        stage.close()


def flow_of(run: ShardRun, sink: Missing, window: int = 10) -> Flow:
    return Flow(run, NOTHING, sink, memory=PictureMemory(1), window=window, put=NOTHING)


def ran(
    unit: WorkUnit,
    work: Do,
    then: Callable[[Ticket, Any], None] | None = None,
    *,
    count: int = 1,
    sink: Missing | None = None,
) -> ShardRun:
    """Send `count` items through a stage, with their numbers, and wait until it is empty."""
    run = new_run(unit)
    flow = flow_of(run, sink or Missing(), count + 1)
    stage: Stage[int, Any] = Stage("test", work, then or leave, threads=1, depth=2)
    for index in range(count):
        ticket = flow.enter(ItemRef(index, f"{index}.png"))
        ticket.size = (8, 6)
        stage.put(ticket, index)
    stage.close()
    assert stage.load == 0
    return run


def leave(ticket: Ticket, _: object) -> None:
    ticket.leave([ticket.quarantined("m", "t", "went through")])


def reasons(run: ShardRun, count: int = 1) -> list[str | None]:
    return [row.reason for row in run.rows([ItemRef(index, "") for index in range(count)])]


def raising(error: BaseException, *, at: int = 0) -> Do:
    def work(_: Ticket, number: int) -> None:
        if number == at:
            raise error

    return work


def test_work_goes_on_to_the_next_stage(unit: WorkUnit) -> None:
    made: list[int] = []

    def then(ticket: Ticket, number: Any) -> None:
        made.append(number)
        leave(ticket, number)

    run = ran(unit, lambda _, number: number * 2, then, count=3)
    assert made == [0, 2, 4]
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
    sink = Missing()
    run = ran(unit, raising(error, at=1), count=3, sink=sink)
    assert reasons(run, 3) == ["went through", reason, "went through"]
    assert run.rows([ItemRef(1, "")])[0].width == 8
    assert sink.numbers == [1]


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
    sink = Missing()
    run = ran(unit, raising(error, at=1), count=3, sink=sink)
    with pytest.raises(kind):
        reasons(run, 3)
    assert sink.numbers == [1, 2]


def test_a_sink_that_fails_over_what_does_not_come_ends_the_run(unit: WorkUnit) -> None:
    sink = Missing(ValueError("bug"))
    run = ran(unit, raising(BadInputError("decode_failed", "")), count=2, sink=sink)
    with pytest.raises(RetryableError, match="bug"):
        reasons(run, 2)


def test_items_of_a_stopping_run_are_dropped_unworked(unit: WorkUnit) -> None:
    seen: list[int] = []

    def work(ticket: Ticket, number: int) -> None:
        seen.append(number)
        ticket.run.stop(Directive.HAND_BACK)

    run = ran(unit, work, count=2)
    assert seen == [0]
    with pytest.raises(RegattaError, match="hand_back"):
        reasons(run, 2)


def test_a_failing_hand_over_loses_neither_the_thread_nor_the_ticket(unit: WorkUnit) -> None:
    run = ran(unit, lambda *_: 0, raising(ValueError("bug")), count=2)
    with pytest.raises(RetryableError, match="bug"):
        reasons(run, 2)


def test_a_full_stage_holds_back_who_puts(unit: WorkUnit, stages: list[Stage[int, Any]]) -> None:
    gate, done = Gate(), threading.Event()
    run = new_run(unit)
    flow = flow_of(run, Missing())
    stage: Stage[int, Any] = Stage("test", gate.wait, leave, threads=1, depth=1)
    stages.append(stage)

    def feed() -> None:
        for index in range(4):
            stage.put(flow.enter(ItemRef(index, "")), index)
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


def test_every_thread_of_a_stage_works(unit: WorkUnit, stages: list[Stage[int, Any]]) -> None:
    meeting: Any = threading.Barrier(3, timeout=PATIENCE)
    run = new_run(unit)
    flow = flow_of(run, Missing())
    stage: Stage[int, Any] = Stage("test", lambda *_: meeting.wait(), leave, threads=3, depth=3)
    stages.append(stage)
    for index in range(3):
        stage.put(flow.enter(ItemRef(index, "")), index)
    assert reasons(run, 3) == ["went through"] * 3


def test_to_wait_for_memory_is_no_work(unit: WorkUnit, monkeypatch: pytest.MonkeyPatch) -> None:
    now = [0.0]
    clock = SimpleNamespace(perf_counter=lambda: now[0])
    for module in ("flow", "stage"):
        monkeypatch.setattr(f"worker.pipeline.{module}.time", clock)

    def scarce(_memory: PictureMemory, _kind: Held, _size: int, _given_up: object) -> None:
        now[0] += 100.0

    def work(ticket: Ticket, number: int) -> int:
        now[0] += 2.0
        ticket.hold(Held.DRAWING, 5)
        now[0] += 1.0
        return number

    monkeypatch.setattr(PictureMemory, "take", scarce)
    assert ran(unit, work).seconds == {"test": 3.0}
