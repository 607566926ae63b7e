import threading
import time
from collections.abc import Callable, Iterator

import pytest
from sqlalchemy import select, update
from sqlalchemy.orm import Session

from core.errors import RetryableError, StaleError
from core.profile import Offered
from core.states import JobMoves
from core.work import Directive, Hold, WorkUnit
from store import jobs
from store.database import Database
from store.processes import WORKER, Heartbeat
from store.tables import Process, Shard
from tests.bench import OFFER, Bench
from tests.workshop import PATIENCE, new_run
from worker.lease_keeper import LeaseKeeper
from worker.run import ShardRun, StoppedError


def keeper_of(db: Database, *, heartbeat_seconds: float = 1000.0) -> LeaseKeeper:
    return LeaseKeeper(
        db,
        Heartbeat("w", WORKER, "h", 1, "0", slots=2, queues=("detect",), offers=(Offered(OFFER),)),
        lease_seconds=30.0,
        heartbeat_seconds=heartbeat_seconds,
        stall_seconds=60.0,
    )


@pytest.fixture
def keeper(bench: Bench) -> LeaseKeeper:
    return keeper_of(bench.db)


@pytest.fixture
def hold(bench: Bench) -> Hold:
    """A shard that this worker has claimed."""
    bench.job("a", [3])
    [hold] = bench.queue("a")
    return hold


@pytest.fixture
def run(bench: Bench, hold: Hold, keeper: LeaseKeeper) -> ShardRun:
    """Its run, whose lease is kept."""
    unit = bench.claim(hold)
    assert isinstance(unit, WorkUnit)
    run = new_run(unit)
    assert keeper.hold(run)
    return run


def lease(bench: Bench, hold: Hold) -> float | None:
    return bench.read_shard(hold.shard).lease_until


def heartbeat(bench: Bench) -> Process | None:
    return bench.db.read(lambda s: s.scalar(select(Process).where(Process.id == "w")))


def directive(run: ShardRun) -> Directive:
    with pytest.raises(StoppedError) as stopped:
        run.check()
    return stopped.value.directive


def test_a_tick_renews_the_lease_and_notes_the_progress(
    bench: Bench, keeper: LeaseKeeper, hold: Hold, run: ShardRun
) -> None:
    run.count_isolated(2)
    bench.clock.now = 1020.0
    keeper.tick()
    assert lease(bench, hold) == 1050.0
    assert bench.read_shard(hold.shard).progress == 2
    run.check()


def test_the_run_learns_of_its_renewal(
    bench: Bench, keeper: LeaseKeeper, hold: Hold, monkeypatch: pytest.MonkeyPatch
) -> None:
    unit = bench.claim(hold)
    assert isinstance(unit, WorkUnit)
    run = ShardRun(unit, lease_seconds=30.0, margin=5.0)
    keeper.hold(run)
    begun = run.moved_at
    monkeypatch.setattr("worker.run.time.monotonic", lambda: begun + 20.0)
    keeper.tick()
    monkeypatch.setattr("worker.run.time.monotonic", lambda: begun + 44.0)
    run.check()
    monkeypatch.setattr("worker.run.time.monotonic", lambda: begun + 46.0)
    with pytest.raises(StaleError):
        run.check()


def test_a_run_in_which_nothing_moves_is_not_renewed(
    bench: Bench, keeper: LeaseKeeper, hold: Hold, run: ShardRun
) -> None:
    run.moved_at = time.monotonic() - 61.0
    bench.clock.now = 1020.0
    keeper.tick()
    assert lease(bench, hold) == 1030.0


def test_a_lost_lease_is_not_renewed_as_its_run_ends(
    bench: Bench, keeper: LeaseKeeper, hold: Hold
) -> None:
    unit = bench.claim(hold)
    assert isinstance(unit, WorkUnit)
    run = new_run(unit, lease_seconds=-1.0)
    keeper.hold(run)
    bench.clock.now = 1020.0
    keeper.tick()
    assert lease(bench, hold) == 1030.0


def test_a_paused_job_takes_its_shard_back(
    bench: Bench, keeper: LeaseKeeper, run: ShardRun
) -> None:
    bench.db.write(lambda s: jobs.pause(s, "a", now=1000.0))
    keeper.tick()
    assert directive(run) is Directive.HAND_BACK


@pytest.mark.parametrize("move", [JobMoves.CANCEL, JobMoves.FAIL])
def test_a_job_that_is_called_off_cancels_its_shard(
    bench: Bench, keeper: LeaseKeeper, run: ShardRun, move: JobMoves
) -> None:
    bench.db.write(lambda s: jobs.stop(s, "a", move, now=1000.0))  # type: ignore[arg-type]
    keeper.tick()
    assert directive(run) is Directive.CANCEL


def test_a_run_that_was_overtaken_is_told_so(
    bench: Bench, keeper: LeaseKeeper, hold: Hold, run: ShardRun
) -> None:
    assert bench.fail(hold)
    keeper.tick()
    assert directive(run) is Directive.STALE


def test_one_tick_serves_all_runs(bench: Bench, keeper: LeaseKeeper, run: ShardRun) -> None:
    bench.job("b", [1])
    [second] = bench.queue("b")
    unit = bench.claim(second)
    assert isinstance(unit, WorkUnit)
    other = new_run(unit)
    keeper.hold(other)
    bench.db.write(lambda s: jobs.pause(s, "b", now=1000.0))
    bench.clock.now = 1005.0
    keeper.tick()
    assert directive(other) is Directive.HAND_BACK
    run.check()
    assert lease(bench, run.unit.hold) == 1035.0


def test_what_was_let_go_is_not_renewed(
    bench: Bench, keeper: LeaseKeeper, hold: Hold, run: ShardRun
) -> None:
    assert not keeper.await_idle(0.0)
    keeper.let_go(run)
    assert keeper.await_idle(0.0)
    bench.clock.now = 1020.0
    keeper.tick()
    assert lease(bench, hold) == 1030.0


def test_an_attempt_is_held_once(keeper: LeaseKeeper, run: ShardRun) -> None:
    again = new_run(run.unit)
    assert not keeper.hold(again)
    assert keeper.runs() == [run]


def test_a_worker_shows_itself_and_leaves(bench: Bench, keeper: LeaseKeeper) -> None:
    keeper.start()
    bench.clock.now = 1007.0
    keeper.tick()
    row = heartbeat(bench)
    assert row is not None
    assert (row.heartbeat_at, row.draining, row.slots) == (1007.0, False, 2)
    keeper.drain()
    keeper.tick()
    row = heartbeat(bench)
    assert row is not None
    assert row.draining
    keeper.close()
    assert heartbeat(bench) is None


@pytest.fixture
def locked(bench: Bench, hold: Hold) -> Iterator[None]:
    """Somebody else holds the database's write lock, or the shard's where there is none."""
    with bench.db.engine.connect() as connection, connection.begin():
        connection.execute(update(Shard).where(Shard.id == hold.shard).values(progress=1))
        yield


def test_a_locked_database_neither_stops_a_run_nor_renews_it(
    bench: Bench, hold: Hold, run: ShardRun, locked: None
) -> None:
    soon = "" if bench.db.is_sqlite else "?options=-c%20lock_timeout%3D50ms"
    db = Database(bench.db.url + soon, clock=bench.clock, patience=0.0)
    impatient = keeper_of(db)
    impatient.hold(run)
    bench.clock.now = 1020.0
    with pytest.raises(RetryableError):
        impatient.tick()
    assert lease(bench, hold) == 1030.0
    run.check()
    db.close()


def test_its_thread_outlives_whatever_goes_wrong(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    keeper = keeper_of(bench.db, heartbeat_seconds=0.001)
    troubles = [RetryableError("away"), ZeroDivisionError("bug")]
    calm = threading.Event()

    def tick() -> None:
        if troubles:
            raise troubles.pop(0)
        calm.set()

    monkeypatch.setattr(keeper, "tick", tick)
    keeper.start()
    assert calm.wait(PATIENCE)
    keeper.close()


def test_what_could_not_be_renewed_is_handed_back_once_the_database_is_there(
    bench: Bench, keeper: LeaseKeeper, hold: Hold, run: ShardRun, monkeypatch: pytest.MonkeyPatch
) -> None:
    def away(*_: object) -> None:
        raise RetryableError("no room")

    with monkeypatch.context() as patch:
        patch.setattr(bench.db, "write", away)
        with pytest.raises(RetryableError):
            keeper.tick()
    assert run.cut_off
    keeper.let_go(run)
    keeper.give_back(hold)
    bench.clock.now += 600
    keeper.tick()
    shard = bench.read_shard(hold.shard)
    assert (shard.state.value, shard.tries, shard.suspect) == ("pending", 0, False)
    [again] = bench.queue("a")
    bench.claim(again)
    keeper.tick()  # it was given back once, and is not any more
    assert bench.states("a") == ["running"]


def test_a_renewal_makes_up_for_one_that_failed(
    bench: Bench, keeper: LeaseKeeper, run: ShardRun
) -> None:
    run.cut_off = True
    keeper.tick()
    assert not run.cut_off


def test_a_lease_that_ends_while_the_database_is_asked_was_cut_off(
    bench: Bench, keeper: LeaseKeeper, run: ShardRun, monkeypatch: pytest.MonkeyPatch
) -> None:
    real, seen = bench.db.write, []

    def slow(work: Callable[[Session], object]) -> object:
        seen.append(run.cut_off)
        run.fail(StaleError("its lease is over"))
        return real(work)

    monkeypatch.setattr(bench.db, "write", slow)
    keeper.tick()
    assert seen == [True]
    assert run.cut_off  # the answer came too late
    assert bench.states("a") == ["running"]
    keeper.tick()  # though it has not ended yet
    shard = bench.read_shard(run.unit.hold.shard)
    assert (shard.state.value, shard.tries) == ("pending", 0)
    assert not run.cut_off


def test_a_run_in_which_nothing_moves_was_not_cut_off(
    bench: Bench, keeper: LeaseKeeper, run: ShardRun, monkeypatch: pytest.MonkeyPatch
) -> None:
    def away(*_: object) -> None:
        raise RetryableError("away")

    run.moved_at = time.monotonic() - 61
    monkeypatch.setattr(bench.db, "write", away)
    with pytest.raises(RetryableError):
        keeper.tick()
    assert not run.cut_off
