"""Processes that are killed, frozen or asked to end in the middle of their work."""

import signal
from pathlib import Path

from core.states import JobState, ShardState
from tests.acceptance.environment import SHORT_LEASES
from tests.acceptance.fleet import DEADLINE, Fleet
from tests.acceptance.outcome import Outcome, outcome
from tests.acceptance.pictures import write_pictures


def test_a_worker_killed_in_mid_shard_is_replaced(
    fleet: Fleet, pictures: Path, model: Path, undisturbed: Outcome
) -> None:
    fleet.settings |= SHORT_LEASES
    fleet.start(workers=0)
    worker = fleet.start_worker()
    fleet.close_gate()
    job = fleet.submit(pictures, model)
    fleet.until_held()
    fleet.kill(worker)
    fleet.open_gate()
    fleet.start_worker()
    assert outcome(fleet, job) == undisturbed
    assert max(shard.tries for shard in fleet.shards(job)) == 2


def test_a_scheduler_killed_in_mid_planning_is_replaced(
    fleet: Fleet, calm_fleet: Fleet, tmp_path: Path, model: Path
) -> None:
    fleet.settings |= SHORT_LEASES
    names = write_pictures(tmp_path / "data")
    short, long = tmp_path / "data" / "short.txt", tmp_path / "data" / "long.txt"
    short.write_text("\n".join(names))
    # The first part is planned at once; to find the rest takes seconds.
    long.write_text("\n".join([*names[:6], *(f"{n}.txt" for n in range(400_000)), *names[6:]]))
    expected = outcome(calm_fleet, calm_fleet.submit(short, model))

    fleet.start_redis()
    scheduler = fleet.start_scheduler()
    job = fleet.submit(long, model)
    fleet.until(lambda: fleet.job(job).plan_parts == 1, "the first part is planned")
    fleet.kill(scheduler)
    assert fleet.job(job).state is JobState.PLANNING
    fleet.start_scheduler()
    fleet.start_worker()
    assert outcome(fleet, job) == expected
    assert fleet.job(job).plan_attempt == 2
    assert fleet.job(job).passed_over == {"not an image": 400_000}


def test_a_scheduler_killed_between_commit_and_publish_is_replaced(
    fleet: Fleet, pictures: Path, model: Path, undisturbed: Outcome
) -> None:
    fleet.start_worker()
    scheduler = fleet.start_scheduler()
    job = fleet.submit(pictures, model)
    # Without a broker, shards are queued in the database and their messages go nowhere.
    fleet.until(lambda: fleet.shards(job, ShardState.QUEUED), "a shard is queued")
    fleet.kill(scheduler)
    fleet.start_redis()
    fleet.start_scheduler()
    assert outcome(fleet, job) == undisturbed


def test_two_schedulers_share_the_work_and_one_may_die(
    fleet: Fleet, pictures: Path, model: Path, undisturbed: Outcome
) -> None:
    fleet.start_redis()
    schedulers = [fleet.start_scheduler(), fleet.start_scheduler()]
    fleet.start_worker()
    fleet.start_worker()
    fleet.until(lambda: len(fleet.processes("scheduler")) == 2, "both schedulers live")
    fleet.close_gate()
    jobs = [fleet.submit(pictures, model, shard_items=6) for _ in range(3)]
    fleet.until_held()
    fleet.kill(schedulers[0])
    fleet.open_gate()
    assert [outcome(fleet, job) for job in jobs] == [undisturbed] * 3


def test_a_frozen_worker_that_wakes_up_changes_nothing(
    fleet: Fleet, pictures: Path, model: Path, undisturbed: Outcome
) -> None:
    fleet.settings |= SHORT_LEASES
    fleet.start(workers=0)
    frozen = fleet.start_worker()
    fleet.close_gate()
    job = fleet.submit(pictures, model)
    fleet.until_held()
    fleet.freeze(frozen)
    fleet.start_worker(STANDIN_GATE="")
    assert outcome(fleet, job) == undisturbed

    frozen.send_signal(signal.SIGCONT)
    fleet.open_gate()
    fleet.until(
        lambda: "shard lost" in fleet.log(frozen) or "told to stop" in fleet.log(frozen),
        "the frozen worker learns that it lost its shard",
    )
    assert fleet.stop(frozen) == 0
    assert outcome(fleet, job) == undisturbed


def test_a_worker_that_is_asked_to_end_hands_back_what_it_cannot_finish(
    fleet: Fleet, pictures: Path, model: Path, undisturbed: Outcome
) -> None:
    fleet.start(workers=0)
    worker = fleet.start_worker(STANDIN_SECONDS="0.6", DRAIN_SECONDS="0.2")
    job = fleet.submit(pictures, model, batch_size=1)
    running = fleet.until(lambda: fleet.shards(job, ShardState.RUNNING), "a shard runs")
    assert fleet.stop(worker) == 0
    handed_back = [shard for shard in fleet.shards(job) if shard.id in {s.id for s in running}]
    assert {shard.state for shard in handed_back} == {ShardState.PENDING}
    assert {shard.tries for shard in handed_back} == {0}
    assert fleet.processes("worker") == []

    fleet.start_worker()
    assert outcome(fleet, job) == undisturbed
    assert {shard.tries for shard in fleet.shards(job)} == {1}


def test_a_worker_that_is_asked_to_end_finishes_what_it_can(
    fleet: Fleet, pictures: Path, model: Path, undisturbed: Outcome
) -> None:
    fleet.start(workers=0)
    worker = fleet.start_worker(DRAIN_SECONDS="60")
    fleet.close_gate()
    job = fleet.submit(pictures, model)
    fleet.until_held()
    worker.terminate()
    fleet.until(lambda: "draining" in fleet.log(worker), "the worker drains")
    fleet.open_gate()
    assert worker.wait(DEADLINE) == 0
    # The picture at the gate is in the first. What was claimed but not begun is handed back.
    assert fleet.shards(job)[0].state is ShardState.DONE
    assert not fleet.shards(job, ShardState.RUNNING)

    fleet.start_worker()
    assert outcome(fleet, job) == undisturbed
    assert {shard.tries for shard in fleet.shards(job)} == {1}
