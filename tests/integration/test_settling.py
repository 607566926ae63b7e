from core.retry import Failure
from core.states import JobMoves, JobState, ShardState
from core.work import Hold
from store import jobs, settling
from tests.bench import Bench


def lapsed(bench: Bench) -> list[settling.Lapsed]:
    return bench.db.read(lambda s: settling.lapsed(s, now=bench.clock.now))


def test_a_lease_lapses_at_its_end(bench: Bench) -> None:
    bench.worker("w")
    bench.job("a", [1, 1])
    hold = bench.run("a")
    bench.queue("a")
    bench.clock.now += 29.9
    assert lapsed(bench) == []
    bench.clock.now += 0.1
    assert lapsed(bench) == [settling.Lapsed(hold, "a", "w", stopping=False)]


def test_a_worker_that_left_holds_nothing(bench: Bench) -> None:
    bench.job("a", [1])
    hold = bench.run("a", "gone")
    bench.db.write(lambda s: jobs.stop(s, "a", JobMoves.CANCEL, now=1.0))
    assert lapsed(bench) == [settling.Lapsed(hold, "a", "gone", stopping=True)]


def test_committed_parts_are_left_to_their_worker_for_a_while(bench: Bench) -> None:
    bench.job("a", [1])
    hold = bench.run("a")
    bench.commit(hold)
    assert bench.db.read(lambda s: settling.unpublished(s, before=999.9)) == []
    [shard] = bench.db.read(lambda s: settling.unpublished(s, before=1000.0))
    assert shard.id == hold.shard
    bench.publish(hold)
    assert bench.db.read(lambda s: settling.unpublished(s, before=1e9)) == []


def bury(bench: Bench, hold: Hold) -> bool:
    return bench.db.write(lambda s: settling.bury(s, hold, digest="t" * 64, size=5))


def test_a_failed_shard_is_buried_once(bench: Bench) -> None:
    bench.job("a", [1])
    hold = bench.run("a")
    bench.fail(hold, max_tries=1)
    [shard] = bench.db.read(settling.without_tombstone)
    assert not bury(bench, hold)
    assert bury(bench, Hold(shard.id, shard.attempt))
    assert not bury(bench, Hold(shard.id, shard.attempt))
    assert not bench.commit(hold)  # of a worker that wakes up late
    assert bench.db.read(settling.without_tombstone) == []
    assert bench.read_shard(shard.id).part_digest == "t" * 64


def test_shards_wait_for_all_that_they_need(bench: Bench) -> None:
    bench.job("a", [1, 1])
    waiting = bench.shard("a", seq=2, state=ShardState.WAITING)
    alone = bench.shard("a", seq=3, state=ShardState.WAITING)
    bench.needs(waiting, 1)
    bench.needs(waiting, 2)
    assert bench.db.read(settling.has_waiting)
    assert bench.db.write(settling.unblock) == 1
    assert bench.read_shard(alone).state is ShardState.PENDING
    first, second = bench.run("a"), bench.run("a")
    bench.commit(first)
    assert bench.db.write(settling.unblock) == 0  # committed, but not published yet
    bench.publish(first)
    bench.fail(second, max_tries=1)
    assert bench.db.write(settling.unblock) == 1
    assert not bench.db.read(settling.has_waiting)


def call_off_unstarted(bench: Bench, job: str) -> None:
    bench.db.write(lambda s: settling.call_off_unstarted(s, job, now=1.0))


def test_a_shard_that_comes_back_to_a_cancelled_job_is_called_off(bench: Bench) -> None:
    bench.job("a", [1, 1])
    bench.job("b", [1])
    drained, died = bench.run("a"), bench.run("a")
    bench.db.write(lambda s: jobs.stop(s, "a", JobMoves.CANCEL, now=1.0))
    bench.hand_back(drained)
    bench.fail(died, Failure.PROCESS_DIED)
    assert bench.db.read(settling.at_their_end) == []
    assert bench.db.read(settling.stopping_with_unstarted) == ["a"]
    call_off_unstarted(bench, "a")
    call_off_unstarted(bench, "b")
    assert bench.states("a") == ["cancelled", "cancelled"]
    assert bench.states("b") == ["pending"]
    assert [job.id for job in bench.db.read(settling.at_their_end)] == ["a"]


def test_a_job_is_at_its_end_when_nothing_is_left_to_do(bench: Bench) -> None:
    bench.job("a", [1, 1])
    bench.job("empty", created_at=1.0)
    bench.job("planning", state=JobState.PLANNING)
    bench.job("paused", state=JobState.PAUSED)
    bench.job("over", state=JobState.SUCCEEDED)

    def ending() -> list[str]:
        return [job.id for job in bench.db.read(settling.at_their_end)]

    done, failed = bench.run("a"), bench.run("a")
    assert ending() == ["empty"]
    bench.commit(done)
    bench.fail(failed, max_tries=1)
    assert ending() == ["empty"]
    bench.publish(done)
    assert ending() == ["empty"]
    bury(bench, Hold(failed.shard, failed.attempt + 1))
    assert ending() == ["empty", "a"]
    assert [s.seq for s in bench.db.read(lambda s: settling.parts_of(s, "a"))] == [0, 1]
    assert bench.db.read(lambda s: settling.items_keys(s, "a")) == {"items/part-00000-1.parquet"}


def test_a_job_that_was_retried_meanwhile_is_not_ended(bench: Bench) -> None:
    bench.job("a", [2])
    hold = bench.run("a")
    bench.commit(hold, quarantined=1)
    bench.publish(hold)
    [seen] = bench.db.read(settling.at_their_end)

    def end() -> bool:
        return bench.db.write(lambda s: settling.end(s, seen, JobMoves.END_PARTIAL, now=5.0))

    assert end()
    assert bench.read_job("a").finished_at == 5.0
    assert not end()
    bench.db.write(lambda s: jobs.reopen(s, "a", now=6.0))
    assert not end()
    again = bench.run("a")
    bench.commit(again)
    bench.publish(again)
    assert not end()  # of another generation
    assert bench.read_job("a").state is JobState.RUNNING
