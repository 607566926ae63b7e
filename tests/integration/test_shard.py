"""The life of a shard against a real database and real directories; its network is scripted."""

import errno
import itertools
import os
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import update

from core.errors import BlockedError, FatalError, RetryableError, StaleError
from core.items import ItemRef
from core.kinds import ArtefactRole, ShardKind
from core.layout import part_name, results_part, staged_results_part
from core.profile import EngineOffer
from core.states import ItemState, JobMoves, JobState
from core.work import Hold
from store import devices, jobs, rates
from store.artefacts import artefacts_of
from store.devices import Device
from store.files import FileObjects
from store.manifests import encode_items
from store.parts import ResultRow, iter_rows
from store.planning import NewShard
from store.processes import WORKER, Heartbeat
from store.tables import Shard
from tests.bench import OFFER, PROFILE, Bench
from tests.workshop import PATIENCE, Gate, Network, models_of, write_item, write_model
from worker.engines.protocol import PredictError
from worker.engines.registry import Engines
from worker.health import DeviceHealth
from worker.kinds.kind import KindRunner, Outcome, Product
from worker.kinds.known import known_kinds
from worker.lease_keeper import LeaseKeeper
from worker.pipeline.drawing import Drawing
from worker.pipeline.pipeline import Pipeline, Threads
from worker.run import ShardRun
from worker.shard import ShardRunner
from worker.ways.chooser import WayChooser

DEVICE = Device("here", "cpu")


class Station:
    """A worker's shard runner, and job `a` over pictures 0, 1, 2 ... of one folder."""

    def __init__(self, bench: Bench) -> None:
        self.bench = bench
        self.network = Network()
        self.draining = False
        self.ended: list[bool] = []  # whenever the process was to end
        self.source = bench.root / "source"
        self.model = write_model(bench.root / "model")
        threads = Threads(fetch=1, decode=1, predict=1, finish=1, upload=1)
        self.pipeline = Pipeline(models_of(self.network, replicas=1), threads)
        self.drawing = Drawing(fetch=1, draw=1, upload=1)
        self.keeper = LeaseKeeper(
            bench.db,
            Heartbeat("w", WORKER, "h", 1, "0"),
            lease_seconds=30.0,
            heartbeat_seconds=1000.0,
            stall_seconds=60.0,
        )
        self.runner = ShardRunner(
            db=bench.db,
            kinds=known_kinds(
                bench.db,
                self.pipeline,
                WayChooser(bench.db, Engines([self.network])),
                self.drawing,
                stall_seconds=60.0,
            ),
            keeper=self.keeper,
            worker_id="w",
            offers=(OFFER,),
            lease_seconds=30.0,
            max_tries=3,
            draining=lambda: self.draining,
            health=DeviceHealth(bench.db, DEVICE, end=lambda: self.ended.append(True)),
        )
        self.pool = ThreadPoolExecutor(2)

    def queue(self, count: int = 3, **job: Any) -> Hold:
        """Plan the job as one shard of `count` pictures, and queue that."""
        items = [write_item(self.source, number) for number in range(count)]
        places: dict[str, Any] = {"source": f"{self.source}/", "model": self.model.to_json()}
        self.bench.job("a", [count], **places, **job)
        self.list(items)
        return self.queue_again()

    def list(self, items: list[ItemRef]) -> None:
        self.output.put("items/part-00000-1.parquet", encode_items(items))

    def queue_again(self) -> Hold:
        [hold] = self.bench.queue("a")
        return hold

    @property
    def output(self) -> FileObjects:
        return FileObjects(self.bench.root / "a")

    def shard(self, hold: Hold) -> tuple[str, int, int]:
        """Its state, its tries and the attempt of its part, 0 without one."""
        row = self.bench.read_shard(hold.shard)
        return row.state.value, row.tries, row.part_attempt or 0

    def states(self) -> dict[str, str]:
        """The published items' states."""
        rows = iter_rows(self.output.get(results_part(part_name(0))))
        return {row["item"]: row["state"] for row in rows}

    def close(self) -> None:
        self.pool.shutdown()
        self.pipeline.close()
        self.drawing.close()


@pytest.fixture
def station(bench: Bench) -> Iterator[Station]:
    station = Station(bench)
    yield station
    station.close()


def fails_with(error: Exception) -> Any:
    def fail(_: list[int]) -> None:
        raise error

    return fail


def test_a_shard_is_run_committed_and_published(station: Station) -> None:
    hold = station.queue(3)
    assert station.runner.run(hold) == "done"
    assert station.shard(hold) == ("done", 1, hold.attempt)
    assert station.states() == dict.fromkeys(("000.png", "001.png", "002.png"), "succeeded")
    row = station.bench.read_shard(hold.shard)
    part = station.output.get(results_part(part_name(0)))
    assert (row.part_digest, row.part_size) == (sha256(part).hexdigest(), len(part))
    assert (row.succeeded, row.quarantined, row.skipped) == (3, 0, 0)
    assert row.timings is not None
    assert row.timings["total"] > 0
    assert {"fetch", "decode", "predict"} <= set(row.timings)
    assert "halved_to_batch" not in row.timings
    assert station.output.get(staged_results_part(part_name(0), hold.attempt)) == part
    assert station.keeper.runs() == []


def test_a_batch_that_had_to_be_halved_is_told_of(station: Station) -> None:
    hold = station.queue(6)
    station.network.largest_batch = 1
    assert station.runner.run(hold) == "done"
    timings = station.bench.read_shard(hold.shard).timings
    assert timings is not None
    assert timings["halved_to_batch"] == 1


def test_a_run_measures_the_models_rate(station: Station, bench: Bench) -> None:
    station.runner.run(station.queue(3))
    key = PROFILE.offer.key
    rate = bench.db.read(lambda s: rates.rate_of(s, station.model.digest, key))
    assert rate is not None
    assert rate > 0


def test_bad_items_are_counted_and_do_not_fail_the_shard(station: Station) -> None:
    hold = station.queue(3)
    (station.source / "001.png").write_bytes(b"broken")
    assert station.runner.run(hold) == "done"
    row = station.bench.read_shard(hold.shard)
    assert (row.succeeded, row.quarantined) == (2, 1)
    assert station.states()["001.png"] == "quarantined"


def test_a_stale_message_runs_nothing(station: Station) -> None:
    hold = station.queue()
    assert station.runner.run(Hold(hold.shard, hold.attempt - 1)) == "stale"
    assert station.runner.run(Hold(999, 1)) == "stale"
    assert station.shard(hold) == ("queued", 0, 0)
    assert station.network.loaded == 0


def test_a_shard_for_another_engine_goes_back_to_the_queue(station: Station) -> None:
    other = EngineOffer("other", "1", "gpu", "fp16")
    profile = {**PROFILE.to_json(), **other.to_json()}
    hold = station.queue(profile=profile)
    assert station.runner.run(hold) == "unsuited"
    assert station.shard(hold) == ("pending", 0, 0)


def test_a_fatal_error_fails_the_job(station: Station) -> None:
    hold = station.queue()
    (station.bench.root / "model" / "model.json").write_text("another")
    assert station.runner.run(hold) == "fatal"
    job = station.bench.read_job("a")
    assert job.state is JobState.FAILING
    assert job.error is not None
    assert "is not the one this job was submitted with" in job.error
    assert "submit a new job" in job.error  # the hint
    assert station.shard(hold) == ("cancelled", 1, 0)


def test_who_was_overtaken_has_no_say_in_the_job(station: Station) -> None:
    hold = station.queue()

    def overtaken(_: list[int]) -> None:
        assert station.bench.fail(hold)
        raise FatalError("no such input")

    station.network.before = overtaken
    assert station.runner.run(hold) == "stale"
    assert station.bench.read_job("a").state is JobState.RUNNING


@pytest.mark.parametrize("error", [RetryableError("disk full"), None])
def test_what_may_pass_is_tried_again_later(
    station: Station, monkeypatch: pytest.MonkeyPatch, error: Exception | None
) -> None:
    hold = station.queue()
    failing = fails_with(error or ZeroDivisionError("bug"))
    monkeypatch.setattr("worker.kinds.infer.encode_rows", failing)
    assert station.runner.run(hold) == "failed"
    row = station.bench.read_shard(hold.shard)
    assert station.shard(hold) == ("pending", 1, 0)
    assert row.available_at == 1001.0
    assert row.error == ("disk full" if error else "unexpected: ZeroDivisionError: bug")
    assert not row.suspect
    monkeypatch.undo()
    station.bench.clock.now = 1001.0
    assert station.runner.run(station.queue_again()) == "done"


def test_a_shard_that_fails_again_and_again_is_given_up(station: Station) -> None:
    hold = station.queue()
    station.network.before = fails_with(RetryableError("no device"))
    ends = []
    for _ in range(3):
        ends.append(station.runner.run(hold))
        station.bench.clock.now += 100.0
        if len(ends) < 3:
            hold = station.queue_again()
    assert ends == ["failed"] * 3
    assert station.shard(hold) == ("failed", 3, 0)


def test_a_draining_worker_hands_back_before_anything_is_loaded(station: Station) -> None:
    hold = station.queue()
    station.draining = True
    assert station.runner.run(hold) == "hand_back"
    assert station.shard(hold) == ("pending", 0, 0)
    assert station.network.loaded == 0
    station.draining = False
    assert station.runner.run(station.queue_again()) == "done"


def during(station: Station, hold: Hold, happens: Any) -> str:
    """Run a shard, have something happen in the middle of it, and a turn of the lease keeper."""
    gate = Gate()
    station.network.before = gate.wait
    ended = station.pool.submit(station.runner.run, hold)
    gate.until_reached()
    happens()
    station.keeper.tick()
    gate.open()
    return ended.result(PATIENCE)


def test_a_paused_job_gets_its_shard_back_without_a_try(station: Station, bench: Bench) -> None:
    hold = station.queue(20)
    pause = lambda: bench.db.write(lambda s: jobs.pause(s, "a", now=1000.0))  # noqa: E731
    assert during(station, hold, pause) == "hand_back"
    assert station.shard(hold) == ("pending", 0, 0)
    assert not station.output.exists(staged_results_part(part_name(0), hold.attempt))


def test_a_cancelled_job_cancels_its_shard(station: Station, bench: Bench) -> None:
    hold = station.queue(20)
    cancel = lambda: bench.db.write(  # noqa: E731
        lambda s: jobs.stop(s, "a", JobMoves.CANCEL, now=1000.0)
    )
    assert during(station, hold, cancel) == "cancel"
    assert station.shard(hold) == ("cancelled", 1, 0)


def test_who_was_overtaken_stops_and_changes_nothing(station: Station, bench: Bench) -> None:
    hold = station.queue(20)
    assert during(station, hold, lambda: bench.fail(hold)) == "stale"
    assert station.shard(hold) == ("pending", 1, 0)


def test_a_lease_that_ended_ends_the_run(station: Station, monkeypatch: pytest.MonkeyPatch) -> None:
    hold = station.queue(20)
    gate = Gate()
    station.network.before = gate.wait
    ended = station.pool.submit(station.runner.run, hold)
    gate.until_reached()
    late = time.monotonic() + 26.0  # less than its 30 seconds: the margin counts
    monkeypatch.setattr("worker.run.time.monotonic", lambda: late)
    gate.open()
    assert ended.result(PATIENCE) == "stale"
    assert station.shard(hold) == ("running", 1, 0)


def test_who_is_overtaken_after_the_last_item_does_not_commit(
    station: Station, monkeypatch: pytest.MonkeyPatch
) -> None:
    hold = station.queue()
    put = FileObjects.put

    def overtaken(self: FileObjects, key: str, data: bytes, *, durable: bool = False) -> None:
        put(self, key, data, durable=durable)
        if key == staged_results_part(part_name(0), hold.attempt):
            assert station.bench.fail(hold)

    monkeypatch.setattr(FileObjects, "put", overtaken)
    assert station.runner.run(hold) == "stale"
    assert station.shard(hold) == ("pending", 1, 0)
    assert not station.output.exists(results_part(part_name(0)))


def test_a_message_that_comes_twice_runs_once(station: Station) -> None:
    hold = station.queue(3)
    second: list[str] = []
    assert during(station, hold, lambda: second.append(station.runner.run(hold))) == "done"
    assert second == ["held"]
    assert len(station.network.batches) == 1
    assert station.runner.run(hold) == "stale"


def test_a_part_that_cannot_be_published_stays_committed(
    station: Station, monkeypatch: pytest.MonkeyPatch
) -> None:
    hold = station.queue()
    monkeypatch.setattr(FileObjects, "copy", lambda *_: fails_with(RetryableError("full"))([]))
    with pytest.raises(RetryableError):
        station.runner.run(hold)
    assert station.shard(hold) == ("committed", 1, hold.attempt)
    assert station.keeper.runs() == []


def test_a_retry_runs_only_what_did_not_succeed_and_keeps_the_rest(station: Station) -> None:
    first = station.queue(3)
    good = (station.source / "001.png").read_bytes()
    (station.source / "001.png").write_bytes(b"broken")
    station.runner.run(first)
    with station.bench.db.engine.begin() as connection:  # as `settle` would
        connection.exec_driver_sql("UPDATE jobs SET state = 'partial'")
    assert station.bench.db.write(lambda s: jobs.reopen(s, "a", now=1000.0)) == 1
    (station.source / "001.png").write_bytes(good)
    (station.source / "000.png").unlink()  # has its result
    station.network.batches.clear()
    second = station.queue_again()
    assert station.runner.run(second) == "done"
    assert {number for batch in station.network.batches for number in batch} == {1}
    assert station.states() == dict.fromkeys(("000.png", "001.png", "002.png"), "succeeded")
    row = station.bench.read_shard(second.shard)
    assert (row.succeeded, row.quarantined, row.part_attempt) == (3, 0, second.attempt)


def test_two_shards_overlap_and_keep_their_own_results(station: Station) -> None:
    items = [write_item(station.source, number) for number in range(40)]
    places: dict[str, Any] = {"source": f"{station.source}/", "model": station.model.to_json()}
    station.bench.job("a", [20, 20], **places)
    station.list(items)
    holds = station.bench.queue("a", 2)
    gate = Gate()
    station.network.before = gate.wait
    ended = [station.pool.submit(station.runner.run, hold) for hold in holds]
    gate.until_reached()
    gate.open()
    assert [end.result(PATIENCE) for end in ended] == ["done", "done"]
    for seq in range(2):
        rows = list(iter_rows(station.output.get(results_part(part_name(seq)))))
        assert [row["item"] for row in rows] == [
            f"{n:03d}.png" for n in range(20 * seq, 20 * seq + 20)
        ]
        assert [row["detections"][0]["box"][0] for row in rows] == [
            float(n) for n in range(20 * seq, 20 * seq + 20)
        ]


class Painter(KindRunner):
    """Makes a video of some megabytes in a file, and plans two more shards."""

    def __init__(self, film: Path) -> None:
        self.film = film

    def run(self, run: ShardRun) -> Outcome:
        run.moved("paint", 0.1)
        self.film.write_bytes(b"frame" * 1_000_000)
        more = NewShard(ShardKind.INFER, "detect", run.unit.items_key, 0, 1)
        rows = Product(ArtefactRole.ROWS, ".parquet", b"rows")
        return Outcome(
            (rows, Product(ArtefactRole.VIDEO, ".mp4", self.film)),
            children={0: more, 1: more},
        )


def test_another_kind_stages_a_file_and_has_children(station: Station, tmp_path: Path) -> None:
    film = tmp_path / "film.mp4"
    kinds = {ShardKind.PROBE: Painter(film)}
    runner = replace(station.runner, kinds=kinds, offers=())
    station.bench.job("a", profile=None)
    station.bench.shard("a", seq=0, kind=ShardKind.PROBE)
    [hold] = station.bench.queue("a", kind=ShardKind.PROBE)
    assert station.runner.run(hold) == "unknown_kind"
    station.bench.clock.now += 1.0
    [hold] = station.bench.queue("a", kind=ShardKind.PROBE)
    assert runner.run(hold) == "done"
    assert station.bench.states("a") == ["pending", "pending", "done"]
    assert station.output.get("results/part-000000.parquet") == b"rows"
    assert station.output.get("videos/part-000000.mp4") == film.read_bytes()
    _, video = artefacts_of(station.bench.read_shard(hold.shard))
    assert (video.digest, video.size) == (sha256(film.read_bytes()).hexdigest(), 5_000_000)


def test_a_suspect_runs_alone(
    station: Station, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    hold = station.queue(2)
    suspect = update(Shard).values(suspect=True, deaths={"1": 1})
    station.bench.db.write(lambda s: s.execute(suspect))

    def alone(run: Any, items: list[ItemRef], *_: object, **__: object) -> list[ResultRow]:
        assert run.unit.deaths == {1: 1}
        row = ResultRow.quarantined
        return [row(item, task="detect", model="m", reason="killed_process: x") for item in items]

    monkeypatch.setattr("worker.kinds.infer.run_suspects", alone)
    assert station.runner.run(hold) == "done"
    assert set(station.states().values()) == {ItemState.QUARANTINED.value}
    assert station.network.loaded == 0
    assert not station.bench.read_shard(hold.shard).suspect


# A device that has failed


def breaks(after: int) -> Callable[[list[int]], None]:
    """A network that fails on whatever comes after so many runs."""
    runs = itertools.count(1)

    def before(_numbers: list[int]) -> None:
        if next(runs) > after:
            raise PredictError("the device is gone")

    return before


def fresh(station: Station) -> None:
    """Go on as a process that has just started, in which nothing has run."""
    station.pipeline.models.close()
    station.runner = replace(
        station.runner,
        health=DeviceHealth(station.bench.db, DEVICE, end=lambda: station.ended.append(True)),
    )


def trust(station: Station) -> None:
    """Suspects would run in children, which have no scripted network."""
    station.bench.db.write(lambda s: s.execute(update(Shard).values(suspect=False)))


def test_a_device_that_fails_costs_no_try_and_no_item(station: Station) -> None:
    hold = station.queue(20)
    station.network.before = breaks(after=1)
    assert station.runner.run(hold) == "sick"
    assert station.shard(hold) == ("pending", 0, 0)
    assert station.bench.read_shard(hold.shard).suspect  # one of its items may do this
    assert station.ended == [True]
    [row] = station.bench.db.read(lambda s: devices.failing(s, DEVICE))
    assert (row.engine, row.failures, row.has_run) == (OFFER.key, 1, True)
    assert (row.error, row.left_out_at) == ("predict_failed: the device is gone", None)


def test_an_input_that_fails_alone_is_blamed_as_ever(station: Station) -> None:
    station.network.refused = frozenset({7})
    assert station.runner.run(station.queue(20)) == "done"
    assert [item for item, state in station.states().items() if state != "succeeded"] == ["007.png"]
    assert station.ended == []


def test_a_full_memory_is_the_devices_fault(station: Station) -> None:
    hold = station.queue()
    station.network.largest_batch = 0
    assert station.runner.run(hold) == "sick"
    assert station.shard(hold) == ("pending", 0, 0)


def test_a_device_that_fails_three_times_in_a_row_is_left_out(station: Station) -> None:
    hold = station.queue(20)
    station.network.before = breaks(after=1)
    assert station.runner.run(hold) == "sick"
    trust(station)
    for _ in range(2):
        fresh(station)
        assert station.runner.run(station.queue_again()) == "sick"
        trust(station)
    [row] = station.bench.db.read(lambda s: devices.left_out(s, ["here", "there"]))
    assert (row.failures, row.left_out_at is not None) == (3, True)
    health = DeviceHealth(station.bench.db, DEVICE, end=lambda: None)
    assert health.usable(station.network.offers()) == ()
    other = DeviceHealth(station.bench.db, Device("here", "gpu0"), end=lambda: None)
    assert other.usable(station.network.offers()) == station.network.offers()
    station.bench.db.write(lambda s: devices.forgive(s, DEVICE))
    assert health.usable(station.network.offers()) == station.network.offers()


def test_a_shard_that_a_device_has_run_forgives_its_failures(station: Station) -> None:
    hold = station.queue(20)
    station.network.before = breaks(after=1)
    assert station.runner.run(hold) == "sick"
    trust(station)
    station.network.before = lambda _: None
    fresh(station)
    station.runner.health.usable(station.network.offers())  # as every process begins
    assert station.runner.run(station.queue_again()) == "done"
    assert set(station.states().values()) == {"succeeded"}
    assert not station.bench.db.read(lambda s: devices.failing(s, DEVICE))


def test_a_device_that_fails_as_it_loads_what_has_run_fails_no_job(station: Station) -> None:
    hold = station.queue(20)
    station.network.before = breaks(after=1)
    assert station.runner.run(hold) == "sick"
    trust(station)
    fresh(station)
    station.bench.db.write(
        lambda s: rates.note_rate(s, station.model.digest, PROFILE.key, 9.0, now=0.0)
    )
    station.network.broken = RuntimeError("CUDA error")
    assert station.runner.run(station.queue_again()) == "sick"
    assert station.shard(hold)[:2] == ("pending", 0)
    [row] = station.bench.db.read(lambda s: devices.failing(s, DEVICE))
    assert (row.failures, row.has_run) == (2, True)
    assert row.error == "model 'numbers' can't be loaded: RuntimeError('CUDA error')"


@pytest.mark.parametrize(
    ("error", "end"), [(RuntimeError("odd graph"), "fatal"), (MemoryError("no"), "failed")]
)
def test_a_network_that_was_never_loaded_is_no_devices_fault(
    station: Station, error: Exception, end: str
) -> None:
    station.network.broken = error
    hold = station.queue()
    assert station.runner.run(hold) == end
    assert station.ended == []
    tries = {"fatal": ("cancelled", 1), "failed": ("pending", 0)}
    assert station.shard(hold)[:2] == tries[end]


def test_a_network_that_never_ran_fails_its_job_and_not_the_device(station: Station) -> None:
    hold = station.queue()
    station.network.before = breaks(after=0)
    for _ in range(2):
        assert station.runner.run(hold) == "sick"
        trust(station)
        fresh(station)
        hold = station.queue_again()
    assert station.runner.run(hold) == "fatal"
    job = station.bench.read_job("a")
    assert job.state is JobState.FAILING
    assert "has never run on" in (job.error or "")
    assert not station.bench.db.read(lambda s: devices.failing(s, DEVICE))


def troubles(bench: Bench) -> dict[str, str]:
    return bench.db.read(lambda s: jobs.troubles_of(s, [jobs.get_job(s, "a")]))


def full_disk(*_: object, **__: object) -> None:
    raise OSError(errno.ENOSPC, "No space left on device")


def test_ten_minutes_of_a_full_disk_cost_no_try(
    station: Station, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In simulated time; a real disk is filled in `tests/acceptance`."""
    bench, hold = station.bench, station.queue(2)
    outputs, runs = station.output, 0
    with monkeypatch.context() as patch:
        patch.setattr("store.files._created", full_disk)
        end = bench.clock.now + 600
        while bench.clock.now < end:
            assert station.runner.run(hold) == "failed"
            runs += 1
            row = bench.read_shard(hold.shard)
            assert (row.state.value, row.tries, row.suspect) == ("pending", 0, False)
            assert str(row.error).startswith(f"waiting for room on {bench.root / 'a'} (disk full)")
            assert troubles(bench) == {"a": row.error}
            bench.clock.now = row.available_at
            hold = station.queue_again()
    assert runs == 60
    assert station.runner.run(hold) == "done"
    assert station.states() == dict.fromkeys(("000.png", "001.png"), "succeeded")
    assert [info.key for info in outputs.list("results/")] == ["results/part-000000.parquet"]


@pytest.mark.parametrize("code", [errno.EROFS, errno.EACCES, errno.ENOTCONN, errno.EDQUOT])
def test_an_output_that_cannot_be_written_is_waited_for(
    station: Station, monkeypatch: pytest.MonkeyPatch, code: int
) -> None:
    def refused(*_: object, **__: object) -> None:
        raise OSError(code, os.strerror(code))

    hold = station.queue(2)
    with monkeypatch.context() as patch:
        patch.setattr("store.files._created", refused)
        assert station.runner.run(hold) == "failed"
    assert station.shard(hold) == ("pending", 0, 0)
    assert str(station.bench.root / "a") in str(station.bench.read_shard(hold.shard).error)
    station.bench.clock.now += 10
    assert station.runner.run(station.queue_again()) == "done"
    assert set(station.states().values()) == {"succeeded"}


def test_a_job_whose_item_list_is_gone_fails(station: Station) -> None:
    hold = station.queue(2)
    station.output.delete("items/part-00000-1.parquet")
    assert station.runner.run(hold) == "fatal"
    job = station.bench.read_job("a")
    assert job.state is JobState.FAILING
    assert str(job.error) == (
        f"items/part-00000-1.parquet, which this job needs, is gone from its output {job.output} "
        "(put it back and run `regatta retry a`, or begin anew with `regatta run --like a`)"
    )


def test_a_run_whose_end_the_database_cannot_be_told_is_handed_back(
    station: Station, monkeypatch: pytest.MonkeyPatch
) -> None:
    hold = station.queue(2)
    with monkeypatch.context() as patch:

        def full(*_: object, **__: object) -> None:
            raise BlockedError("database or disk is full")

        patch.setattr("worker.shard.leases.commit", full)
        with pytest.raises(BlockedError):
            station.runner.run(hold)
    assert station.shard(hold) == ("running", 1, 0)
    station.keeper.tick()
    assert station.shard(hold) == ("pending", 0, 0)
    assert station.runner.run(station.queue_again()) == "done"


def test_a_lease_that_ran_out_while_the_database_was_away_is_handed_back(
    station: Station, monkeypatch: pytest.MonkeyPatch
) -> None:
    hold = station.queue(2)

    def lose(run: ShardRun) -> Outcome:
        run.cut_off = True
        run.fail(StaleError("the lease could not be renewed in time"))
        run.check()
        raise AssertionError

    kind = station.runner.kinds[ShardKind.INFER]
    monkeypatch.setattr(type(kind), "run", lambda _self, run: lose(run))
    assert station.runner.run(hold) == "stale"
    station.keeper.tick()
    assert station.shard(hold) == ("pending", 0, 0)
