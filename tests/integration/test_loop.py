import threading
import time
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest
from structlog.testing import capture_logs

import scheduler.loop
import scheduler.plan
from config.broker import celery_settings
from core.errors import RetryableError
from core.states import JobState
from core.work import Hold, WorkUnit
from scheduler.doorbell import Doorbell
from scheduler.loop import Scheduler, Timing
from scheduler.submit import JobDefaults
from scheduler.webhooks import Rules
from store import processes
from store.processes import SCHEDULER, Heartbeat
from store.tables import Job, Shard
from tests.bench import OPTIONS, Bench
from tests.workshop import PATIENCE

TIMING = Timing(lease_seconds=30, heartbeat_seconds=2, republish_seconds=10, max_tries=3)
DEFAULTS = JobDefaults("/nowhere", 10, 20, 90)
HEARTBEAT = Heartbeat(id="s1", role=SCHEDULER, host="h", pid=1, version="0")


@pytest.fixture
def turning(bench: Bench, broker: str) -> Iterator[Scheduler]:
    doorbell = Doorbell(celery_settings(broker))
    yield Scheduler(bench.db, doorbell, HEARTBEAT, TIMING, DEFAULTS, Rules())
    doorbell.close()


def schedulers(bench: Bench) -> list[str]:
    found = bench.db.read(lambda s: processes.live(s, SCHEDULER, now=bench.clock.now, within=5))
    return [process.id for process in found]


def source(tmp_path: Path, count: int = 3) -> str:
    folder = tmp_path / "data"
    folder.mkdir()
    for number in range(count):
        (folder / f"{number}.jpg").write_bytes(b"x")
    return str(folder)


def test_how_long_silence_is_borne() -> None:
    assert TIMING.silence == 6
    assert TIMING.worker_ttl == 30


def test_a_job_goes_all_the_way(bench: Bench, turning: Scheduler, tmp_path: Path) -> None:
    bench.job("a", state=JobState.PLANNING, source=source(tmp_path), profile=None)
    bench.worker("w")
    assert turning.planner.tick()
    turning.tick()
    assert schedulers(bench) == ["s1"]
    assert bench.read_job("a").profile is not None
    assert bench.states("a") == ["queued"]
    shard = bench.db.read(lambda s: s.query(Shard).one())
    hold = Hold(shard.id, shard.attempt)
    assert isinstance(bench.claim(hold), WorkUnit)
    bench.commit(hold)
    bench.publish(hold)
    turning.settler.tick()
    assert bench.read_job("a").state is JobState.SUCCEEDED


def test_a_scheduler_rests_while_no_job_is_under_way(
    bench: Bench, turning: Scheduler, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert not turning._may_rest()  # it has not looked at anything so far
    turning._last_tick = time.monotonic()
    assert turning._may_rest()
    assert schedulers(bench) == ["s1"]  # it is alive all the same
    for state in (JobState.PLANNING, JobState.PAUSED, JobState.CANCELLING):
        job = f"job-{state}"
        bench.job(job, state=state)
        assert not turning._may_rest()
        bench.db.write(lambda s, job=job: s.delete(s.get_one(Job, job)))
    bench.job("ended", state=JobState.PARTIAL)
    assert turning._may_rest()
    turning._last_tick -= 60.0
    assert not turning._may_rest()


def test_one_part_in_trouble_does_not_stop_the_others(
    bench: Bench, turning: Scheduler, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken() -> int:
        raise ZeroDivisionError

    for part in (turning.profiler, turning.reaper):
        monkeypatch.setattr(part, "tick", broken)
    bench.job("a", [1])
    bench.worker("w")
    turning.tick()
    assert bench.states("a") == ["queued"]


def test_trouble_that_may_pass_is_no_news_of_a_bug(
    turning: Scheduler, monkeypatch: pytest.MonkeyPatch
) -> None:
    turns: list[str] = []

    def away() -> int:
        turns.append("dispatch")
        raise RetryableError("the broker is away")

    monkeypatch.setattr(turning.dispatcher, "tick", away)
    with capture_logs() as logs:
        turning.tick()
    assert turns == ["dispatch"]
    assert [(log["event"], log["log_level"]) for log in logs] == [("will try again", "warning")]


def test_a_heart_beats_no_more_often_than_it_should(
    bench: Bench, turning: Scheduler, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = [100.0]
    monkeypatch.setattr(scheduler.loop, "time", SimpleNamespace(monotonic=lambda: now[0]))
    turning.tick()
    bench.clock.now += 10
    for later, expected in ((1.9, []), (0.1, ["s1"])):
        now[0] += later
        turning.tick()
        assert schedulers(bench) == expected


def test_a_scheduler_runs_until_it_is_stopped_and_leaves_in_order(
    bench: Bench, turning: Scheduler, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(scheduler.loop, "_TICK_SECONDS", 0.001)
    monkeypatch.setattr(scheduler.loop, "_IDLE_SECONDS", 0.001)
    bench.job("a", state=JobState.PLANNING, source=source(tmp_path))
    bench.worker("w")
    stop = threading.Event()
    real = turning.dispatcher.tick
    seen: list[list[str]] = []

    def tick() -> int:
        published = real()
        if published:
            seen.append(schedulers(bench))
            stop.set()
        return published

    monkeypatch.setattr(turning.dispatcher, "tick", tick)
    turning.run(stop)
    assert seen == [["s1"]]
    assert bench.states("a") == ["queued"]
    assert schedulers(bench) == []
    assert not [thread for thread in threading.enumerate() if thread.name == "planner"]


def test_a_stopped_scheduler_leaves_its_planning_to_others(
    bench: Bench, turning: Scheduler, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    options = OPTIONS.to_json() | {"shard_items": 1}
    bench.job("a", state=JobState.PLANNING, source=source(tmp_path), options=options)
    stop = threading.Event()
    real = turning.planner.tick

    def tick() -> bool:
        stop.set()
        return real()

    monkeypatch.setattr(scheduler.plan, "_PART_ITEMS", 1)
    monkeypatch.setattr(turning.planner, "tick", tick)
    turning.run(stop)
    job = bench.read_job("a")
    assert (job.state, job.listed, job.plan_owner) == (JobState.PLANNING, 1, None)


def test_a_guard_that_reads_for_long_holds_up_no_shards(
    bench: Bench, turning: Scheduler, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(scheduler.loop, "_TICK_SECONDS", 0.001)
    bench.job("a", [1])
    stop, reading, published = threading.Event(), threading.Event(), threading.Event()
    real = turning.dispatcher.tick

    def judge() -> int:
        reading.set()
        assert published.wait(PATIENCE)
        stop.set()
        return 0

    def dispatch() -> int:
        if reading.is_set():
            bench.worker("w")
        if found := real():
            published.set()
        return found

    monkeypatch.setattr(turning.guard, "tick", judge)
    monkeypatch.setattr(turning.dispatcher, "tick", dispatch)
    turning.run(stop)
    assert bench.states("a") == ["queued"]
