from core.kinds import ShardKind
from core.retry import Failure
from core.states import JobMoves, JobState
from store import jobs, queueing
from store.queueing import Demand
from tests.bench import PROFILE, Bench


def demands(bench: Bench, queue: str = "detect") -> list[Demand]:
    return bench.db.read(lambda s: queueing.demands(s, queue, now=bench.clock.now))


def test_demands_are_what_live_jobs_could_do_now(bench: Bench) -> None:
    bench.job("late", [1, 1, 1], created_at=2.0, priority=3)
    bench.job("early", [1, 1], created_at=1.0)
    bench.job("paused", [1], state=JobState.PAUSED)
    bench.job("unprofiled", [1], profile=None)
    bench.job("over", created_at=0.0)
    bench.run("late")
    bench.queue("late")
    assert demands(bench) == [
        Demand("early", ShardKind.INFER, 0, ready=2, outstanding=0, queued=0, profile=PROFILE),
        Demand("late", ShardKind.INFER, 3, ready=1, outstanding=2, queued=1, profile=PROFILE),
    ]
    assert demands(bench, "media") == []


def test_a_shard_that_waits_for_its_time_is_not_ready(bench: Bench) -> None:
    bench.job("a", [1])
    bench.fail(bench.run("a"), Failure.RETRYABLE)
    assert [d.ready for d in demands(bench)] == [0]
    assert bench.queue("a") == []
    bench.clock.now += 1
    assert [d.ready for d in demands(bench)] == [1]
    assert len(bench.queue("a")) == 1


def test_shards_are_queued_in_listing_order_each_under_a_new_attempt(bench: Bench) -> None:
    bench.job("a", [1, 1, 1, 1])
    first = bench.queue("a", 3)
    assert [hold.attempt for hold in first] == [1, 1, 1]
    assert [bench.read_shard(hold.shard).seq for hold in first] == [0, 1, 2]
    assert len(bench.queue("a", 3)) == 1
    assert bench.queue("a", 3) == []


def test_a_job_that_was_stopped_since_is_not_queued(bench: Bench) -> None:
    bench.job("a", [1, 1])
    bench.job("b", [1])
    bench.db.write(lambda s: jobs.move_job(s, "a", JobMoves.PAUSE))
    bench.db.write(lambda s: jobs.move_job(s, "b", JobMoves.CANCEL))
    assert bench.queue("a", 5) == bench.queue("b", 5) == []
    assert bench.states("a") == ["pending", "pending"]


def overdue(bench: Bench, limit: int = 10) -> list[int]:
    late = bench.db.write(
        lambda s: queueing.overdue(
            s,
            "detect",
            limit,
            served=[("a", ShardKind.INFER)],
            now=bench.clock.now,
            since=bench.clock.now - 10,
        )
    )
    return [hold.shard for hold in late.get(ShardKind.INFER, [])]


def test_what_nobody_claimed_in_time_is_taken_once(bench: Bench) -> None:
    bench.job("a", [1, 1, 1])
    [first] = bench.queue("a")
    bench.clock.now += 5
    [second] = bench.queue("a")
    claimed = bench.run("a")
    assert bench.db.read(lambda s: queueing.queued(s, "detect")) == 2
    assert overdue(bench) == []
    bench.clock.now += 5
    assert overdue(bench) == [first.shard]
    assert overdue(bench) == []
    bench.clock.now += 5
    assert overdue(bench) == [second.shard]
    bench.clock.now += 10
    assert overdue(bench, limit=1) == [first.shard]
    assert claimed.shard not in overdue(bench)
