import threading
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from tests.bench import Clock
from tests.workshop import PATIENCE
from vision.ops.preprocess import Prepared
from worker.pipeline.batcher import Batcher
from worker.pipeline.inquiry import PendingAsk


class Pool:
    """A batcher, the number of pictures that are on their way to it, and a clock."""

    def __init__(self, capacity: int = 8, most_bytes: int = 10**6) -> None:
        self.coming = 1
        self.clock = Clock()
        self.batcher = Batcher(capacity, most_bytes, lambda: self.coming, clock=self.clock)

    def put(self, index: int, network: Any, side: int = 4) -> None:
        self.batcher.put([ask(index, network, side)])

    def take(self) -> list[int]:
        batch = self.batcher.take()
        assert batch is not None
        return [ask.place for ask in batch]

    @property
    def is_ready(self) -> bool:
        return self.batcher._ready() is not None


def ask(number: int, network: Any, side: int = 4) -> PendingAsk:
    pair = np.ones(2, np.float32)
    prepared = Prepared(np.zeros((3, side, side), np.float32), pair, pair)
    inquiry: Any = None  # no batcher looks at it
    return PendingAsk(inquiry, number, network, prepared)


def network(name: str = "m", batch_size: int = 3) -> Any:
    return SimpleNamespace(key=name, batch_size=batch_size)


@pytest.fixture
def pool() -> Pool:
    return Pool()


def test_a_full_batch_is_given_out_at_once_and_in_order(pool: Pool) -> None:
    for index in range(4):
        pool.put(index, network())
    assert pool.take() == [0, 1, 2]
    assert not pool.is_ready


def test_a_partial_batch_waits_for_what_is_on_its_way(pool: Pool) -> None:
    pool.put(0, network())
    assert not pool.is_ready
    pool.coming = 0
    assert pool.take() == [0]


def test_a_partial_batch_that_has_waited_too_long_goes(pool: Pool) -> None:
    pool.put(0, network())
    pool.clock.now += 0.2
    assert not pool.is_ready
    pool.clock.now += 0.1
    assert pool.take() == [0]


def test_a_full_pool_gives_out_the_group_whose_first_ask_is_oldest() -> None:
    pool = Pool(capacity=4)
    pair = network(batch_size=2)
    for index in range(4):
        assert not pool.is_ready
        pool.put(index, pair, side=4 + index)
        pool.clock.now += 0.01
    assert pool.take() == [0]
    assert not pool.is_ready


def test_images_of_different_shapes_or_models_never_share_a_batch(pool: Pool) -> None:
    first, second = network("a"), network("b")
    pool.put(0, first, side=4)
    pool.put(1, first, side=5)
    pool.put(2, second, side=4)
    pool.put(3, first, side=4)
    pool.coming = 0
    assert [pool.take(), pool.take(), pool.take()] == [[0, 3], [1], [2]]


def test_a_flood_of_one_model_does_not_starve_another(pool: Pool) -> None:
    rare, flood = network("rare"), network("flood", batch_size=2)
    pool.put(0, rare)
    pool.put(1, flood)
    pool.put(2, flood)
    assert pool.take() == [1, 2]
    pool.clock.now += 1.0
    pool.put(3, flood)
    pool.put(4, flood)
    assert pool.take() == [0]


def test_a_model_whose_batch_has_shrunk_gets_smaller_ones(pool: Pool) -> None:
    shrunk = network(batch_size=4)
    for index in range(3):
        pool.put(index, shrunk)
    shrunk.batch_size = 2
    assert pool.take() == [0, 1]


def test_two_batches_fit_however_large_the_model_wants_them() -> None:
    pool = Pool(capacity=1)
    large = network(batch_size=5)
    for index in range(9):  # would wait for ever if one were the limit
        pool.put(index, large)
    assert pool.take() == [0, 1, 2, 3, 4]


def test_a_full_pool_holds_back_who_puts(monkeypatch: pytest.MonkeyPatch) -> None:
    pool = Pool(capacity=2)
    single = network(batch_size=1)
    held_back = threading.Event()
    wait = pool.batcher._changed.wait

    def noted(timeout: float | None = None) -> bool:
        held_back.set()
        return wait(timeout)

    for index in range(2):
        pool.put(index, single)
    monkeypatch.setattr(pool.batcher._changed, "wait", noted)
    third = threading.Thread(target=pool.put, args=(2, single))
    third.start()
    assert held_back.wait(PATIENCE)
    assert pool.take() == [0]
    third.join(PATIENCE)
    assert [pool.take(), pool.take()] == [[1], [2]]


def test_further_asks_get_into_a_full_pool_and_new_pictures_wait_longer(pool: Pool) -> None:
    small = network(batch_size=2)
    pool.batcher.put_more([ask(index, small) for index in range(12)])
    late = threading.Thread(target=pool.put, args=(12, small))
    late.start()
    for first in range(0, 12, 2):
        assert pool.take() == [first, first + 1]
    late.join(PATIENCE)
    pool.coming = 0
    assert pool.take() == [12]


def test_a_picture_with_more_asks_than_the_pool_holds_gets_in(pool: Pool) -> None:
    pool.batcher.put([ask(index, network()) for index in range(20)])
    assert pool.take() == [0, 1, 2]


def test_a_closed_pool_gives_out_what_is_left_and_then_ends(pool: Pool) -> None:
    pool.put(0, network())
    pool.batcher.close()
    assert pool.take() == [0]
    assert pool.batcher.take() is None


def test_closing_ends_who_waits_for_a_batch(pool: Pool) -> None:
    taken: list[object] = []
    waiting = threading.Thread(target=lambda: taken.append(pool.batcher.take()))
    waiting.start()
    pool.batcher.close()
    waiting.join(PATIENCE)
    assert taken == [None]


def test_large_inputs_fill_it_sooner_but_two_batches_always_fit() -> None:
    two = network(batch_size=2)
    inputs = ask(0, two).prepared.image.nbytes
    pool = Pool(capacity=64, most_bytes=5 * inputs)
    for number in range(4):
        pool.put(number, two)
    assert not pool.batcher._is_full()
    pool.put(4, two)
    assert pool.batcher._is_full()
    pool = Pool(capacity=64, most_bytes=1)
    for number in range(3):
        pool.put(number, two)
    assert not pool.batcher._is_full()
    pool.put(3, two)
    assert pool.batcher._is_full()
