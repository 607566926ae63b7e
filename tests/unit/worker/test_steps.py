import time

from core.items import ItemRef
from core.work import WorkUnit
from tests.workshop import new_run
from worker.steps import Patience, Steps

ITEM, OTHER = ItemRef(0, "a.png"), ItemRef(1, "b.png")


def test_patience_grows_with_the_picture() -> None:
    patience = Patience(base=10, per_megapixel=2, batch=300)
    assert patience.seconds(0) == 10
    assert patience.seconds(12_000_000) == 34
    assert patience.times(3).seconds(12_000_000) == 102
    assert patience.times(3).batch == 300


def test_a_step_is_overdue_by_the_size_that_it_turned_out_to_have() -> None:
    steps = Steps(Patience(base=10, per_megapixel=2))
    with steps.picture("decode", ITEM, 0) as step:
        now = time.monotonic()
        assert steps.overdue(now) == []
        assert steps.overdue(now + 11) == [step]
        step.begin(12_000_000)
        assert steps.overdue(now + 33) == []
        assert steps.overdue(now + 35) == [step]
    assert steps.overdue(now + 1000) == []


def test_waiting_for_others_takes_no_time() -> None:
    steps = Steps(Patience(base=10))
    with steps.picture("decode", ITEM, 0) as step:
        step.pause()
        now = time.monotonic() + 1000
        assert steps.overdue(now) == []
        assert not steps.are_in_time(now)


def test_a_batch_names_all_its_items() -> None:
    steps = Steps(Patience(batch=30))
    with steps.batch([ITEM, OTHER]) as step:
        now = time.monotonic()
        assert step.items == (ITEM, OTHER)
        assert steps.are_in_time(now + 29)
        assert steps.overdue(now + 31) == [step]


def test_a_run_moves_while_a_slow_picture_is_in_its_time(unit: WorkUnit) -> None:
    run = new_run(unit)
    run.moved_at = time.monotonic() - 1000
    assert not run.has_moved_since(time.monotonic() - 300)
    with run.steps.picture("decode", ITEM, 0):
        assert run.has_moved_since(time.monotonic() - 300)
