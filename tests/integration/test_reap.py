from core.retry import Failure
from core.states import JobMoves
from scheduler.reap import Reaper
from store import jobs, processes
from tests.bench import Bench


def reaper(bench: Bench, max_tries: int = 3) -> Reaper:
    return Reaper(bench.db, silence=6, max_tries=max_tries, lease_seconds=30)


def test_a_live_lease_is_left_alone(bench: Bench) -> None:
    bench.worker("w")
    bench.job("a", [1, 1])
    bench.run("a", "w")
    bench.clock.now += 29
    assert reaper(bench).tick() == 0
    assert bench.states("a") == ["running", "pending"]


def test_a_silent_worker_is_dead_and_its_shard_a_suspect(bench: Bench) -> None:
    bench.worker("w")
    bench.job("a", [1])
    hold = bench.run("a", "w")
    bench.clock.now += 30
    assert reaper(bench).tick() == 1
    assert reaper(bench).tick() == 0
    shard = bench.read_shard(hold.shard)
    assert (shard.state, shard.suspect, shard.error) == ("pending", True, "worker w died")
    assert shard.available_at == bench.clock.now + 1
    assert not bench.commit(hold)


def test_a_slow_worker_loses_its_shard_but_not_its_name(bench: Bench) -> None:
    bench.worker("w")
    bench.job("a", [1])
    hold = bench.run("a", "w")
    bench.clock.now += 30
    bench.worker("w")
    assert reaper(bench).tick() == 1
    shard = bench.read_shard(hold.shard)
    assert (shard.state, shard.suspect) == ("pending", False)
    assert shard.error is not None
    assert "no progress" in shard.error


def test_a_worker_that_left_is_not_waited_for(bench: Bench) -> None:
    bench.worker("w")
    bench.job("a", [1])
    hold = bench.run("a", "w")
    bench.db.write(lambda s: processes.leave(s, "w"))
    assert reaper(bench).tick() == 1
    assert bench.read_shard(hold.shard).suspect


def test_a_shard_that_is_out_of_tries_fails(bench: Bench) -> None:
    bench.job("a", [2])
    hold = bench.run("a", "gone")
    assert reaper(bench, max_tries=1).tick() == 1
    shard = bench.read_shard(hold.shard)
    assert (shard.state, shard.quarantined, shard.error) == ("failed", 2, "worker gone died")


def test_a_dead_worker_does_not_hold_up_a_cancel(bench: Bench) -> None:
    bench.job("a", [2])
    bench.run("a", "gone")
    bench.db.write(lambda s: jobs.stop(s, "a", JobMoves.CANCEL, now=1.0))
    assert reaper(bench).tick() == 1
    assert bench.states("a") == ["cancelled"]


def test_tries_of_dead_workers_are_counted(bench: Bench) -> None:
    bench.job("a", [1])
    for _ in range(2):
        bench.run("a", "gone")
        reaper(bench).tick()
        bench.clock.now += 60
    bench.fail(bench.run("a"), Failure.RETRYABLE, max_tries=3)
    assert bench.states("a") == ["failed"]
