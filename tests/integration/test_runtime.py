import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from config.settings import Settings
from core.errors import UsageError
from core.heartbeat_pipe import HEARTBEAT_FD
from core.options import ModelRef
from core.profile import ExecutionProfile
from core.work import Hold
from migrations.upgrade import downgrade
from store import processes
from store.tables import Process
from tests.acceptance import standin
from tests.acceptance.pictures import write_model, write_pictures
from tests.bench import Bench
from tests.workshop import new_run, work_unit
from vision.exports.export import export_digest
from worker import runtime
from worker.run import StoppedError
from worker.runtime import Runtime


@pytest.fixture
def begun(bench: Bench) -> Iterator[Runtime]:
    """The runtime of this process, as a worker's."""
    settings = Settings(
        home=bench.root / "home",
        database_url=bench.db.url,
        engines=standin.__name__,
        heartbeat_seconds=1000,
        lease_seconds=3000,
        predictors=1,
    )
    yield runtime.begin(settings, ("detect",))
    runtime.end()


def test_a_worker_without_engines_says_what_it_can_do(bench: Bench) -> None:
    settings = Settings(home=bench.root / "home", database_url=bench.db.url, engines="none")
    runtime.begin(settings, ("media",))
    try:
        [row] = bench.db.read(lambda s: s.scalars(select(Process)).all())
    finally:
        runtime.end()
    assert (row.queues, row.offers, row.kinds) == (["media"], [], ["compact", "infer", "render"])


@dataclass
class Timer:
    """A timer that goes off when the test says."""

    seconds: float
    action: Any
    daemon: bool = False
    started: bool = False

    def start(self) -> None:
        self.started = True


@pytest.fixture
def timers(monkeypatch: pytest.MonkeyPatch) -> list[Timer]:
    made: list[Timer] = []

    def timer(seconds: float, action: Any) -> Timer:
        made.append(Timer(seconds, action))
        return made[-1]

    monkeypatch.setattr("worker.runtime.threading.Timer", timer)
    return made


def workers(bench: Bench) -> list[Process]:
    return list(bench.db.read(lambda s: s.scalars(select(Process)).all()))


def queued(bench: Bench) -> Hold:
    """A shard of pictures for the stand-in."""
    write_pictures(bench.root / "source")
    model = write_model(bench.root / "model")
    ref = ModelRef("standin", "detect", export_digest(model), f"file://{model}")
    [offered] = standin.offers()
    profile = ExecutionProfile.of(offered.offer, batch_size=4, jpeg_quality=90)
    places: dict[str, Any] = {"source": f"{bench.root / 'source'}/", "model": ref.to_json()}
    bench.job("a", [2], **places, profile=profile.to_json())
    [hold] = bench.queue("a")
    return hold


def test_a_worker_is_seen_while_it_runs(bench: Bench, begun: Runtime) -> None:
    assert runtime.current() is begun
    [process] = workers(bench)
    assert (process.role, process.queues, process.slots) == ("worker", ["detect"], 2)
    assert process.offers == [offer.to_json() for offer in standin.offers()]
    runtime.end()
    assert workers(bench) == []
    with pytest.raises(UsageError, match="not a worker"):
        runtime.current()
    runtime.end()  # again: nothing


def test_nobody_is_seen_before_its_first_sign_of_life(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    there, here = os.pipe()
    os.set_blocking(there, False)
    monkeypatch.setenv(HEARTBEAT_FD, str(here))
    heard: list[bytes] = []
    beat = processes.beat

    def be_seen(*args: Any, **kwargs: Any) -> None:
        heard.append(os.read(there, 1))  # raises BlockingIOError if there is nothing
        beat(*args, **kwargs)

    monkeypatch.setattr(processes, "beat", be_seen)
    settings = Settings(home=bench.root / "home", database_url=bench.db.url, engines="none")
    runtime.begin(settings, ("media",))
    runtime.end()
    os.close(there)
    os.close(here)
    assert heard == [b"."]


def test_a_worker_runs_what_a_message_names(bench: Bench, begun: Runtime) -> None:
    assert begun.run(queued(bench)) == "done"


def test_a_draining_worker_hands_back_what_comes_in(
    bench: Bench, begun: Runtime, timers: list[Timer]
) -> None:
    hold = queued(bench)
    begun.drain()
    [timer] = timers
    assert (timer.seconds, timer.daemon, timer.started) == (20.0, True, True)
    assert begun.run(hold) == "hand_back"
    assert bench.states("a") == ["pending"]
    begun._keeper.tick()
    assert [process.draining for process in workers(bench)] == [True]


@pytest.mark.parametrize("asked_again", [False, True])
def test_what_runs_may_finish_until_the_drain_time_is_over_or_somebody_insists(
    begun: Runtime, timers: list[Timer], tmp_path: Path, asked_again: bool
) -> None:
    model = ModelRef("m", "detect", "d", "file:///m")
    run = new_run(work_unit(model, source=tmp_path, output=tmp_path))
    begun._keeper.hold(run)
    begun.drain()
    run.check()
    (begun.drain if asked_again else timers[0].action)()
    assert len(timers) == 1
    with pytest.raises(StoppedError, match="hand_back"):
        run.check()
    begun._keeper.let_go(run)


def test_a_worker_needs_tables(bench: Bench) -> None:
    downgrade(bench.db.url, "base")
    settings = Settings(home=bench.root, database_url=bench.db.url, engines=standin.__name__)
    with pytest.raises(UsageError, match="is not migrated"):
        runtime.begin(settings, ("detect",))


def test_an_engine_that_cannot_be_used_is_said_at_once(bench: Bench) -> None:
    settings = Settings(home=bench.root, database_url=bench.db.url, engines="core.items")
    with pytest.raises(UsageError, match="has no offers"):
        runtime.begin(settings, ("detect",))


def test_what_hangs_does_not_keep_an_ending_worker(bench: Bench, tmp_path: Path) -> None:
    settings = Settings(
        home=bench.root, database_url=bench.db.url, engines=standin.__name__, drain_seconds=0.001
    )
    begun = runtime.begin(settings, ("detect",))
    model = ModelRef("m", "detect", "d", "file:///m")
    run = new_run(work_unit(model, source=tmp_path, output=tmp_path))
    begun._keeper.hold(run)
    begun.close()
    with pytest.raises(StoppedError, match="hand_back"):
        run.check()
    assert len(workers(bench)) == 1  # its lease lapses like that of any other hung worker
    begun._keeper.let_go(run)
    runtime.end()
