import threading
from concurrent.futures import Future, ThreadPoolExecutor

import pytest

from tests.workshop import PATIENCE
from worker.pipeline.budget import Held, PictureMemory

FILE, PIXELS, DRAWING = Held


def never() -> bool:
    return False


def waiting(pool: ThreadPoolExecutor, memory: PictureMemory, kind: Held, size: int) -> Future[None]:
    """A thread that has begun to wait for memory."""
    entered = threading.Event()

    def ask() -> bool:
        entered.set()  # asked while it waits, with the lock held
        return False

    future = pool.submit(memory.take, kind, size, ask)
    assert entered.wait(PATIENCE)
    return future


def test_more_than_the_limit_goes_to_who_is_alone() -> None:
    memory = PictureMemory(80)
    memory.take(PIXELS, 1000, never)
    memory.change(PIXELS, -1000)
    assert not memory.is_short
    assert memory.held == 0


def test_who_finds_no_room_waits_until_there_is() -> None:
    memory = PictureMemory(80)
    memory.take(PIXELS, 60, never)
    with ThreadPoolExecutor(1) as pool:
        future = waiting(pool, memory, PIXELS, 20)
        assert memory.is_short
        assert not future.done()
        memory.change(PIXELS, -30)
        future.result(PATIENCE)
    assert not memory.is_short
    assert memory.held == 50


def test_who_gives_up_waits_no_longer() -> None:
    memory = PictureMemory(80)
    memory.take(PIXELS, 70, never)
    memory.take(PIXELS, 70, lambda: True)
    memory.change(PIXELS, -140)
    memory.take(PIXELS, 70, never)


def test_a_large_picture_is_not_overtaken_by_small_ones() -> None:
    memory = PictureMemory(80)
    memory.take(PIXELS, 10, never)
    with ThreadPoolExecutor(2) as pool:
        large = waiting(pool, memory, PIXELS, 500)
        small = waiting(pool, memory, PIXELS, 1)
        assert not small.done()
        memory.change(PIXELS, -10)
        large.result(PATIENCE)
        assert not small.done()
        memory.change(PIXELS, -500)
        small.result(PATIENCE)


def test_files_take_a_part_of_it_only() -> None:
    memory = PictureMemory(80)
    memory.take(FILE, 8, never)
    with ThreadPoolExecutor(1) as pool:
        another = waiting(pool, memory, FILE, 8)
        memory.change(FILE, -8)
        another.result(PATIENCE)


@pytest.mark.parametrize(("held", "wanted"), [(FILE, PIXELS), (PIXELS, DRAWING)])
def test_who_holds_an_earlier_kind_never_keeps_a_later_one_waiting(
    held: Held, wanted: Held
) -> None:
    memory = PictureMemory(80)
    memory.take(held, 79, never)
    memory.take(wanted, 1000, never)  # the holder may be the one that waits


def test_a_drawing_has_room_when_pixels_have_none() -> None:
    memory = PictureMemory(80)
    memory.take(PIXELS, 70, never)
    memory.take(DRAWING, 4, never)
    memory.take(DRAWING, 6, never)
    assert memory.held == 80
