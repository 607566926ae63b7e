import threading
from concurrent.futures import ThreadPoolExecutor

from worker.pipeline.budget import ByteBudget


def never() -> bool:
    return False


def test_more_than_the_budget_goes_to_who_is_alone() -> None:
    budget = ByteBudget(10)
    budget.take(1000, never)
    budget.give_back(1000)
    assert not budget.is_short


def test_who_finds_no_room_waits_until_there_is() -> None:
    budget = ByteBudget(10)
    budget.take(8, never)
    entered = threading.Event()

    def ask() -> bool:
        entered.set()  # asked while it waits, with the lock held
        return False

    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(budget.take, 3, ask)
        assert entered.wait(10)
        assert budget.is_short
        assert not waiting.done()
        budget.give_back(8)
        waiting.result(10)
    assert not budget.is_short


def test_who_gives_up_waits_no_longer() -> None:
    budget = ByteBudget(10)
    budget.take(8, never)
    budget.take(8, lambda: True)
    budget.give_back(16)
    budget.take(10, never)
