from collections.abc import Iterator
from pathlib import Path

import pytest
import redis

from config.broker import celery_settings
from core.errors import RetryableError
from core.work import Hold
from scheduler.doorbell import Doorbell


@pytest.fixture
def doorbell(broker: str) -> Iterator[Doorbell]:
    doorbell = Doorbell(celery_settings(broker))
    yield doorbell
    doorbell.close()


def test_a_queue_that_nobody_used_is_empty(doorbell: Doorbell) -> None:
    assert doorbell.depth("detect") == 0


def test_each_ring_is_a_message_in_its_queue(doorbell: Doorbell) -> None:
    doorbell.ring("detect", [Hold(1, 1), Hold(2, 1)])
    doorbell.ring("media", [Hold(3, 1)])
    assert doorbell.depth("detect") == 2
    assert doorbell.depth("media") == 1


def test_a_flushed_queue_is_empty(doorbell: Doorbell, broker: str) -> None:
    doorbell.ring("detect", [Hold(1, 1)])
    client = redis.Redis.from_url(broker.replace("redis+socket", "unix"))
    client.flushall()
    client.close()
    assert doorbell.depth("detect") == 0
    doorbell.ring("detect", [Hold(1, 1)])
    assert doorbell.depth("detect") == 1


def test_a_broker_that_is_away_is_worth_another_try(tmp_path: Path) -> None:
    doorbell = Doorbell(celery_settings(f"redis+socket://{tmp_path / 'none'}"))
    with pytest.raises(RetryableError, match="broker cannot be reached"):
        doorbell.ring("detect", [Hold(1, 1)])
    with pytest.raises(RetryableError, match="broker cannot be reached"):
        doorbell.depth("detect")
    doorbell.close()
