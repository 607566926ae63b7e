from typing import Any

import pytest
from structlog.testing import capture_logs

from core.retry import Failure
from core.states import JobMoves, JobState
from scheduler.reap import Reaper
from store import jobs, leases, processes
from store.settling import lapsed
from store.tables import Shard
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


class Clocks:
    """The database's clock and the reaper's own, which go on together unless one is set."""

    def __init__(self, bench: Bench) -> None:
        self.bench = bench
        self.ours = 50.0
        self.reaper = Reaper(
            bench.db, silence=6, max_tries=3, lease_seconds=30, monotonic=lambda: self.ours
        )

    def pass_(self, seconds: float) -> None:
        self.bench.clock.now += seconds
        self.ours += seconds


def test_a_database_that_was_away_costs_no_shard_a_try(bench: Bench) -> None:
    clocks = Clocks(bench)
    bench.worker("w")
    bench.job("a", [1, 1])
    hold = bench.run("a", "w")
    bench.run("a", "dead")
    assert clocks.reaper.tick() == 1  # a worker that nobody knows
    bench.worker("w2")
    clocks.pass_(1)
    bench.run("a", "w2")
    clocks.pass_(600)  # nobody could write for so long
    assert clocks.reaper.tick() == 0
    clocks.pass_(2)
    assert clocks.reaper.tick() == 0
    bench.worker("w")  # it is back, and renews
    progress = {hold: leases.Progress(1, moved=True)}
    bench.db.write(lambda s: leases.renew(s, progress, now=bench.clock.now, lease_seconds=30))
    clocks.pass_(4)
    assert clocks.reaper.tick() == 1  # the other one is not
    assert bench.states("a") == ["running", "pending"]
    assert bench.read_shard(hold.shard).tries == 1


def test_a_database_that_goes_away_in_mid_turn_costs_no_shard_a_try(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    clocks = Clocks(bench)
    bench.worker("w")
    bench.job("a", [1])
    hold = bench.run("a", "w")
    clocks.pass_(1)
    with monkeypatch.context() as patch:
        # The first question of the turn was answered; the next one comes through in ten minutes.
        def late(*args: Any, **kwargs: Any) -> Any:
            clocks.pass_(600)
            return lapsed(*args, **(kwargs | {"now": bench.clock.now}))

        patch.setattr("scheduler.reap.lapsed", late)
        assert clocks.reaper.tick() == 0
    assert clocks.reaper.tick() == 0  # workers have time to renew
    bench.worker("w")
    progress = {hold: leases.Progress(1, moved=True)}
    bench.db.write(lambda s: leases.renew(s, progress, now=bench.clock.now, lease_seconds=30))
    clocks.pass_(7)
    assert clocks.reaper.tick() == 0
    assert bench.states("a") == ["running"]
    assert bench.read_shard(hold.shard).tries == 1


def test_slow_turns_do_not_protect_the_dead(bench: Bench) -> None:
    clocks = Clocks(bench)
    bench.worker("w")
    bench.job("a", [1])
    bench.run("a", "w")
    clocks.reaper.tick()
    clocks.pass_(60)
    assert clocks.reaper.tick() == 0
    clocks.pass_(60)
    assert clocks.reaper.tick() == 1


def test_a_clock_that_is_set_forward_ends_no_lease(bench: Bench) -> None:
    clocks = Clocks(bench)
    bench.worker("w")
    bench.job("a", [1])
    hold = bench.run("a", "w")
    clocks.reaper.tick()
    bench.clock.now += 3600
    clocks.pass_(1)
    with capture_logs() as logs:
        assert clocks.reaper.tick() == 0
    assert [(log["event"], log["seconds"]) for log in logs] == [
        ("the database's clock was set", 3600)
    ]
    bench.worker("w")
    progress = {hold: leases.Progress(1, moved=True)}
    bench.db.write(lambda s: leases.renew(s, progress, now=bench.clock.now, lease_seconds=30))
    clocks.pass_(10)
    assert clocks.reaper.tick() == 0
    assert bench.states("a") == ["running"]


def test_after_a_clock_was_set_back_nobody_waits_for_the_hour_to_come_again(bench: Bench) -> None:
    clocks = Clocks(bench)
    bench.clock.now = 10_000.0
    bench.worker("w")
    bench.job("a", [1, 1, 1])
    bench.fail(bench.run("a", "w"))  # pending again, in a second
    bench.run("a", "w")
    [queued] = bench.queue("a")
    bench.job("b", state=JobState.PLANNING, plan_owner="p", plan_lease_until=10_030.0)
    clocks.reaper.tick()
    bench.clock.now -= 3600
    clocks.pass_(1)
    now = bench.clock.now
    assert clocks.reaper.tick() == 0
    shards = {shard.state.value: shard for shard in _shards(bench)}
    assert shards["pending"].available_at == now + 60
    assert shards["running"].lease_until == now + 30
    assert shards["queued"].queued_at == now
    assert bench.read_job("b").plan_lease_until == now + 30
    bench.worker("w2")
    clocks.pass_(31)
    assert clocks.reaper.tick() == 0  # it was long since the last turn
    clocks.pass_(7)
    assert clocks.reaper.tick() == 1
    assert bench.read_shard(queued.shard).state == "queued"


def test_a_scheduler_that_starts_after_the_clock_was_set_back_notices_too(bench: Bench) -> None:
    bench.job("a", [1])
    bench.fail(bench.run("a"))
    bench.clock.now -= 500
    reaper(bench).tick()
    assert _shards(bench)[0].available_at == bench.clock.now + 60


def _shards(bench: Bench) -> list[Shard]:
    return bench.db.read(lambda s: s.query(Shard).order_by(Shard.seq).all())
