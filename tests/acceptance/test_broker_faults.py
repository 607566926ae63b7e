"""The queue is a doorbell: whatever happens to it, the database knows what is to be done."""

import subprocess
from pathlib import Path

from config.broker import celery_settings
from core.states import ShardState
from core.work import Hold
from scheduler.doorbell import Doorbell
from tests.acceptance.fleet import Fleet
from tests.acceptance.outcome import Outcome, outcome


def start(fleet: Fleet) -> subprocess.Popen[bytes]:
    """A fleet that can be told what each message led to; returns its broker."""
    server = fleet.start_redis()
    fleet.start_scheduler()
    fleet.start_worker()
    return server


def test_a_broker_that_dies_comes_back_empty(
    fleet: Fleet, pictures: Path, model: Path, undisturbed: Outcome
) -> None:
    server = start(fleet)
    fleet.close_gate()
    job = fleet.submit(pictures, model)
    fleet.until_held()
    fleet.kill(server)
    fleet.open_gate()
    fleet.until(lambda: fleet.shards(job, ShardState.DONE), "a shard is done without a broker")
    fleet.start_redis()
    assert outcome(fleet, job) == undisturbed
    assert {shard.tries for shard in fleet.shards(job)} == {1}


def test_a_broker_that_is_flushed_loses_nothing(
    fleet: Fleet, pictures: Path, model: Path, undisturbed: Outcome
) -> None:
    start(fleet)
    fleet.close_gate()
    job = fleet.submit(pictures, model)
    fleet.until_held()
    fleet.until(lambda: fleet.shards(job, ShardState.QUEUED), "shards wait in the queue")
    with fleet.redis() as client:
        client.flushall()
    fleet.open_gate()
    assert outcome(fleet, job) == undisturbed
    assert {shard.tries for shard in fleet.shards(job)} == {1}


def test_messages_that_are_delivered_again_run_nothing_twice(
    fleet: Fleet, pictures: Path, model: Path, undisturbed: Outcome
) -> None:
    start(fleet)
    fleet.start_worker()
    fleet.close_gate()
    job = fleet.submit(pictures, model)
    fleet.until_held()
    doorbell = Doorbell(celery_settings(f"redis+socket://{fleet.socket}"))
    for _ in range(3):
        doorbell.ring("detect", [Hold(s.id, s.attempt) for s in fleet.shards(job) if s.attempt])
    fleet.open_gate()
    assert outcome(fleet, job) == undisturbed
    # Those of shards that are long done are dropped as well.
    doorbell.ring("detect", [Hold(s.id, s.attempt) for s in fleet.shards(job)])
    fleet.until(lambda: doorbell.depth("detect") == 0, "every message is read")
    doorbell.close()
    assert outcome(fleet, job) == undisturbed
    assert {(shard.attempt, shard.tries) for shard in fleet.shards(job)} == {(1, 1)}
