"""Compactions: from a job's end to flat tables, a retry that discards them, and their removal."""

from collections.abc import Iterator
from functools import partial
from hashlib import sha256
from pathlib import Path
from shutil import rmtree
from typing import Any
from uuid import uuid4

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner
from sqlalchemy import update
from sqlalchemy.orm import Session
from structlog.testing import capture_logs

from cli.main import cli
from core.comparison import Comparison
from core.errors import UsageError
from core.items import ItemRef
from core.kinds import ShardKind
from core.layout import part_name, results_part
from core.retry import Failure
from core.states import ItemState, JobState, ShardState
from core.work import Hold, WorkUnit
from predictions.answer import ClassScore
from scheduler.compact import Compactor, accept
from scheduler.origins import Origins
from scheduler.plan import PLANNED_KINDS, Planner
from scheduler.removal import remove_job, superfluous, why_kept
from scheduler.settle import Settler
from store import carried, compactions, jobs, references
from store.compactions import Compaction, compaction_of
from store.devices import Device
from store.locations import open_store, use_s3
from store.output import Output
from store.parts import encode_rows
from store.processes import WORKER, Heartbeat
from store.results import ResultRow
from store.s3.client import s3_client
from store.s3.options import S3Options
from store.tables import Job, Shard
from store.view import view_tables
from tables.columns import CLASSES, DETECTIONS, ITEMS, SCHEMAS
from tests.bench import OFFER, PROFILE, Bench
from tests.buckets.server import Server
from worker.health import DeviceHealth
from worker.kinds.compact import Compact
from worker.lease_keeper import LeaseKeeper
from worker.run import ShardRun
from worker.shard import ShardRunner
from worker.staging import stage


class Yard:
    """Jobs with results that were written by hand, and a worker that only compacts."""

    def __init__(self, bench: Bench) -> None:
        self.bench = bench
        self.seconds = 0.0
        self.compactor = Compactor(bench.db, least_parts=2, monotonic=lambda: self.seconds)
        self.planner = Planner(bench.db, "p", lease_seconds=30)
        keeper = LeaseKeeper(
            bench.db,
            Heartbeat("w", WORKER, "h", 1, "0"),
            lease_seconds=30.0,
            heartbeat_seconds=1000.0,
            stall_seconds=60.0,
        )
        self.worker = ShardRunner(
            db=bench.db,
            kinds={ShardKind.COMPACT: Compact(bench.db)},
            keeper=keeper,
            worker_id="w",
            offers=(),
            lease_seconds=30.0,
            max_tries=3,
            draining=lambda: False,
            health=DeviceHealth(bench.db, Device("h", "cpu"), end=lambda: None),
        )

    def job(self, job_id: str, *parts: list[str], **values: Any) -> Job:
        """An ended job with parts of these items, which have classes; `bad.jpg` is quarantined."""
        bench = self.bench
        bench.job(
            job_id,
            [len(part) for part in parts],
            **{"state": JobState.SUCCEEDED, "task": "classify", "finished_at": 1000.0} | values,
        )
        index = 0
        for seq, part in enumerate(parts):
            rows = [row(index + place, name) for place, name in enumerate(part)]
            index += len(part)
            data = encode_rows(rows)
            open_store(bench.read_job(job_id).output).put(results_part(part_name(seq)), data)
            bad = part.count("bad.jpg")
            written = {
                "state": ShardState.DONE,
                "part_attempt": 0,
                "part_digest": sha256(data).hexdigest(),
                "part_size": len(data),
                "succeeded": len(part) - bad,
                "quarantined": bad,
            }
            which = update(Shard).where(Shard.job_id == job_id, Shard.seq == seq)
            bench.db.write(partial(Session.execute, statement=which.values(**written)))
        return bench.read_job(job_id)

    def compactions(self) -> list[Job]:
        return [
            job
            for job in self.bench.db.read(lambda s: jobs.list_jobs(s, compactions=True))
            if job.kind == ShardKind.COMPACT
        ]

    def look(self) -> int:
        """Let the compactor look, as it does every few seconds."""
        self.seconds += 10.0
        self.bench.clock.now += 1.0
        return self.compactor.tick()

    def plan(self) -> None:
        while self.planner.tick():
            pass

    def holds(self) -> list[Hold]:
        return [
            hold
            for job in self.compactions()
            for hold in self.bench.queue(job.id, 100, kind=ShardKind.COMPACT)
        ]

    def run(self) -> None:
        """Plan and run what there is, and end it."""
        self.plan()
        for hold in self.holds():
            assert self.worker.run(hold) == "done"
        Settler(self.bench.db).tick()

    def compact(self, job: Job) -> Compaction:
        accept(self.bench.db, job)
        self.run()
        self.look()
        found = self.of(job.id)
        assert found is not None
        return found

    def of(self, job_id: str) -> Compaction | None:
        return self.bench.db.read(lambda s: compaction_of(s, jobs.get_job(s, job_id)))

    def refers(self, job_id: str) -> dict[str, str]:
        return self.bench.db.read(lambda s: references.references_of(s, job_id))

    def retry(self, job_id: str) -> None:
        assert self.bench.db.write(lambda s: jobs.reopen(s, job_id, now=1.0)) is not None


def row(index: int, name: str, **values: Any) -> ResultRow:
    item = ItemRef(index, name, size=9)
    if name == "bad.jpg":
        return ResultRow.quarantined(item, task="classify", model="m", reason="decode_failed: no")
    classes = (ClassScore("cat", 0, 0.75), ClassScore("dog", 1, 0.25))
    made = {"width": 8, "height": 6, "classes": classes, "annotated": f"annotated/{name}"} | values
    return ResultRow(item, "classify", "m", ItemState.SUCCEEDED, **made)


@pytest.fixture
def yard(bench: Bench) -> Yard:
    return Yard(bench)


@pytest.fixture
def sqlite_yard(sqlite_bench: Bench) -> Yard:
    return Yard(sqlite_bench)


def read(compaction: Compaction, table: str) -> pa.Table:
    store = open_store(compaction.output)
    files = [pq.read_table(pa.BufferReader(store.get(key))) for key in compaction.tables[table]]
    return pa.concat_tables(files)


def test_an_ended_job_gets_flat_tables_sorted_by_item(yard: Yard) -> None:
    job = yard.job("a", ["c.jpg", "b.jpg"], ["a.jpg", "bad.jpg"], state=JobState.PARTIAL)
    assert yard.look() == 1
    [compaction] = yard.compactions()
    assert (compaction.state, compaction.priority) == (JobState.PLANNING, 0)
    assert yard.refers(compaction.id) == {"a": references.COMPACTS}
    assert yard.of("a") is None
    yard.run()
    assert yard.bench.read_job(compaction.id).state is JobState.SUCCEEDED
    assert yard.of("a") is None  # not before it is adopted
    assert yard.look() == 1
    found = yard.of("a")
    assert found is not None
    assert (found.job, yard.refers("a")) == (compaction.id, {compaction.id: references.COMPACTED})
    assert yard.refers(compaction.id) == {}
    assert set(found.tables) == set(SCHEMAS)
    assert found.tables[ITEMS] == ["tables/part-000000.items.parquet"]
    items = read(found, ITEMS)
    assert items["item"].to_pylist() == ["a.jpg", "b.jpg", "bad.jpg", "c.jpg"]
    assert items["index"].to_pylist() == [2, 1, 3, 0]
    assert items["annotated"][0].as_py() == f"{job.output}/annotated/a.jpg"
    assert read(found, CLASSES)["label"].to_pylist() == ["cat", "dog"] * 3
    assert read(found, DETECTIONS).num_rows == 0
    assert yard.look() == 0  # once is enough


def test_small_jobs_are_only_compacted_when_asked(sqlite_yard: Yard) -> None:
    yard = sqlite_yard
    yard.job("a", ["a.jpg"])
    assert yard.look() == 0
    found = yard.compact(yard.bench.read_job("a"))
    assert accept(yard.bench.db, yard.bench.read_job("a")).id == found.job
    assert read(found, ITEMS).num_rows == 1


def test_one_that_has_just_ended_by_itself_counts_once_the_command_says_so(
    sqlite_yard: Yard,
) -> None:
    yard = sqlite_yard
    job = yard.job("a", ["a.jpg"], ["b.jpg"])
    yard.look()
    yard.run()
    assert yard.of("a") is None
    environment = {"REGATTA_HOME": str(yard.bench.root), "REGATTA_DATABASE_URL": yard.bench.db.url}
    said = CliRunner().invoke(cli, ["compact", job.id], env=environment)
    assert (said.exit_code, said.stderr) == (0, "job a is compacted already\n")
    assert yard.of("a") is not None


def test_what_cannot_be_compacted_is_refused(sqlite_yard: Yard) -> None:
    yard = sqlite_yard
    db = yard.bench.db
    with pytest.raises(UsageError, match="has not ended"):
        accept(db, yard.job("a", ["a.jpg"], state=JobState.RUNNING))
    with pytest.raises(UsageError, match="no results"):
        accept(db, yard.job("b"))
    compaction = accept(db, yard.job("c", ["a.jpg"]))
    with pytest.raises(UsageError, match="kind 'compact'"):
        accept(db, compaction)


def test_a_retry_discards_it_and_its_files(yard: Yard) -> None:
    job = yard.job("a", ["a.jpg", "bad.jpg"], state=JobState.PARTIAL)
    found = yard.compact(job)
    yard.retry("a")
    assert yard.of("a") is None
    yard.look()
    assert (yard.compactions(), yard.refers("a")) == ([], {})
    assert not Path(found.output).parent.exists()
    assert open_store(job.output).exists(results_part(part_name(0)))


def test_a_retry_while_it_runs_calls_it_off(sqlite_yard: Yard) -> None:
    yard = sqlite_yard
    yard.job("a", ["a.jpg", "bad.jpg"], state=JobState.PARTIAL)
    accept(yard.bench.db, yard.bench.read_job("a"))
    yard.plan()
    [hold] = yard.holds()
    yard.retry("a")
    assert yard.worker.run(hold) == "fatal"
    yard.look()
    Settler(yard.bench.db).tick()
    yard.look()
    yard.look()
    assert yard.compactions() == []
    assert yard.refers("a") == {}


def test_one_that_was_called_off_is_not_tried_for_ever(sqlite_yard: Yard) -> None:
    yard = sqlite_yard
    yard.job("a", ["a.jpg"], ["b.jpg"])
    yard.look()
    [first] = yard.compactions()
    yard.bench.db.write(lambda s: jobs.stop(s, first.id, jobs.JobMoves.CANCEL, now=1.0))
    Settler(yard.bench.db).tick()
    for _ in range(3):
        yard.look()
    assert [(one.id, one.state) for one in yard.compactions()] == [(first.id, JobState.CANCELLED)]
    assert why_kept(yard.bench.db, yard.bench.read_job("a"), with_output=True) is None
    yard.compact(yard.bench.read_job("a"))  # a person may ask again
    assert len(yard.compactions()) == 2
    remove_job(yard.bench.db, "a", with_output=True)
    assert yard.compactions() == []


def test_a_worker_killed_between_staging_and_commit_changes_nothing(sqlite_yard: Yard) -> None:
    yard = sqlite_yard
    bench, job = yard.bench, yard.job("a", ["b.jpg", "a.jpg"])
    compaction = accept(bench.db, job)
    yard.plan()
    [hold] = yard.holds()
    unit = bench.claim(hold, "killed")
    assert isinstance(unit, WorkUnit)
    run = ShardRun(unit, lease_seconds=30.0, margin=5.0)
    staged = stage(unit, Compact(bench.db).run(run).products)
    bench.fail(hold, Failure.PROCESS_DIED)
    bench.clock.now += 100.0
    assert yard.worker.run(hold) == "stale"  # its message comes again
    yard.run()
    yard.look()
    found = yard.of("a")
    assert found is not None
    store = open_store(compaction.output)
    made = {sha256(store.get(one.key)).hexdigest() for one in staged}
    assert made == {one.digest for one in staged}
    assert {one.key for one in staged} == {key for keys in found.tables.values() for key in keys}
    assert not list(store.list("_attempts/"))


def test_it_is_removed_with_its_job(yard: Yard) -> None:
    job = yard.job("a", ["a.jpg"], ["b.jpg"])
    accept(yard.bench.db, job)
    with pytest.raises(UsageError, match="which compacts it, has not ended"):
        remove_job(yard.bench.db, "a", with_output=True)
    found = yard.compact(job)
    assert why_kept(yard.bench.db, yard.bench.read_job(found.job), with_output=True) is not None
    assert [one.id for one in superfluous(yard.bench.db, keep=0, ended_before=None)] == ["a"]
    removed = remove_job(yard.bench.db, "a", with_output=True)
    assert (removed.left, yard.compactions()) == (0, [])
    assert not Path(job.output).exists()


def test_a_job_stays_for_each_of_its_compactions(sqlite_yard: Yard) -> None:
    yard = sqlite_yard
    accept(yard.bench.db, yard.job("a", ["a.jpg", "bad.jpg"], state=JobState.PARTIAL))
    yard.retry("a")
    yard.bench.db.write(lambda s: s.execute(update(Job).values(state=JobState.PARTIAL)))
    accept(yard.bench.db, yard.bench.read_job("a"))
    with pytest.raises(UsageError, match="which compacts it, has not ended"):
        remove_job(yard.bench.db, "a", with_output=True)


def test_people_do_not_meet_compactions_among_their_jobs(sqlite_yard: Yard) -> None:
    yard = sqlite_yard
    yard.job("a", ["a.jpg"])
    yard.bench.clock.now += 5.0
    compaction = accept(yard.bench.db, yard.bench.read_job("a"))
    db = yard.bench.db
    assert db.read(lambda s: jobs.find_job(s, "latest")).id == "a"
    assert [job.id for job in db.read(jobs.list_jobs)] == ["a"]
    assert compaction.id not in db.read(jobs.job_names)
    assert db.read(lambda s: jobs.find_job(s, compaction.id)).kind == ShardKind.COMPACT
    assert ShardKind.COMPACT in PLANNED_KINDS


def heir(yard: Yard, taken: dict[str, list[tuple[int, str]]], **values: Any) -> Job:
    """Job `z`, which has taken these items of other jobs over: their places there, and names."""
    job = yard.job("z", ["own.jpg"], since_job="old", **values)
    rows = [
        {
            "key": "renamed.jpg" if name == "moved.jpg" else name,
            "kind": "plain",
            "job": origin,
            "output": yard.bench.read_job(origin).output,
            "part": results_part(part_name(0)),
            "index": index,
            "item": name,
            "state": "succeeded",
            "why": "unchanged",
        }
        for origin, items in taken.items()
        for index, name in items
    ]
    listed = pa.Table.from_pylist(rows, schema=carried.SCHEMA)
    open_store(job.output).put("carried/part-00000-1.parquet", carried.encode_carried(listed))
    counts = Comparison(unchanged=len(rows), manifests=("carried/part-00000-1.parquet",))
    said = update(Job).where(Job.id == "z")
    said = said.values(carried=len(rows), comparison=counts.to_json())
    yard.bench.db.write(partial(Session.execute, statement=said))
    for origin in taken:
        yard.bench.db.write(partial(references.add, job_id="z", refers_to=origin, why="carries"))
    return yard.bench.read_job("z")


def seen(yard: Yard, job_id: str) -> dict[str, tuple[str, bytes | None, str]]:
    """By item: the job that has its row now, the content of its picture, and what was found."""
    found = {}
    for table in view_tables(yard.bench.db, yard.bench.read_job(job_id)):
        for one in table.to_pylist():
            store, key = open_store(one["output"]), one["annotated"]
            picture = store.get(key) if key and store.exists(key) else None
            found[one["item"]] = (one["job"], picture, one["classes"][0]["label"])
    return found


def picture(yard: Yard, job_id: str, name: str) -> bytes:
    data = f"{job_id} {name}".encode()
    open_store(yard.bench.read_job(job_id).output).put(f"annotated/{name}", data)
    return data


def test_what_is_mostly_dead_moves_and_its_job_can_go(yard: Yard) -> None:
    db = yard.bench.db
    yard.job("old", ["a.jpg", "moved.jpg", "c.jpg", "d.jpg", "e.jpg"])
    yard.job("odd", ["x.jpg", "a.jpg", "y.jpg", "z.jpg", "moved.jpg"])
    yard.job("new", ["n.jpg", "o.jpg"])
    pictures = {
        "a.jpg": picture(yard, "old", "a.jpg"),
        "renamed.jpg": picture(yard, "old", "moved.jpg"),
        "n.jpg": picture(yard, "new", "n.jpg"),
    }
    picture(yard, "odd", "a.jpg")  # the same name in two outputs
    old = [(0, "a.jpg"), (1, "moved.jpg")]
    job = heir(yard, {"old": old, "odd": [(0, "x.jpg")], "new": [(0, "n.jpg")]})
    before = seen(yard, "z")
    assert {name: one[0] for name, one in before.items()} == {
        "own.jpg": "z",
        "a.jpg": "old",
        "renamed.jpg": "old",
        "x.jpg": "odd",
        "n.jpg": "new",
    }
    assert yard.look() == 1  # it has few parts, but most of what two jobs made is dead
    yard.run()
    yard.look()
    found = yard.of("z")
    assert found is not None
    assert yard.refers("z") == {"new": "carries", found.job: "carries"}
    after = seen(yard, "z")
    assert {name: one[1:] for name, one in after.items()} == {
        name: one[1:] for name, one in before.items()
    }
    assert {name: one[0] for name, one in after.items()} == {
        "own.jpg": "z",
        "a.jpg": found.job,
        "renamed.jpg": found.job,
        "x.jpg": found.job,
        "n.jpg": "new",
    }
    assert {name: after[name][1] for name in ("a.jpg", "renamed.jpg", "n.jpg")} == {
        name: pictures[name] for name in ("a.jpg", "renamed.jpg", "n.jpg")
    }
    for origin in ("old", "odd"):
        remove_job(db, origin, with_output=True)
    assert seen(yard, "z") == after
    assert {one["item"] for one in Output(job.output).rows()} == set(after)
    items = read(found, ITEMS)
    assert set(items["item"].to_pylist()) == set(after)
    places = dict(zip(items["item"].to_pylist(), items["annotated"].to_pylist(), strict=True))
    assert Path(places["renamed.jpg"]).read_bytes() == pictures["renamed.jpg"]
    with pytest.raises(UsageError, match="must stay"):
        remove_job(db, "new", with_output=True)


def test_a_retry_discards_tables_but_not_what_was_moved(sqlite_yard: Yard) -> None:
    yard = sqlite_yard
    yard.job("old", ["a.jpg", "b.jpg", "c.jpg"])
    heir(yard, {"old": [(0, "a.jpg")]})
    yard.look()
    yard.run()
    yard.look()
    [first] = yard.compactions()
    remove_job(yard.bench.db, "old", with_output=True)
    after = seen(yard, "z")
    again = update(Job).where(Job.id == "z").values(generation=1)
    yard.bench.db.write(partial(Session.execute, statement=again))
    assert yard.of("z") is None
    for _ in range(3):
        yard.look()
    assert (seen(yard, "z"), yard.refers("z")) == (after, {first.id: "carries"})
    second = yard.compact(yard.bench.read_job("z"))
    assert (second.job != first.id, seen(yard, "z")) == (True, after)
    assert set(read(second, ITEMS)["item"].to_pylist()) == {"own.jpg", "a.jpg"}
    remove_job(yard.bench.db, "z", with_output=True)
    assert yard.compactions() == []


def test_nothing_moves_while_another_job_is_compared(sqlite_yard: Yard) -> None:
    yard = sqlite_yard
    yard.job("old", ["a.jpg", "b.jpg", "c.jpg"])
    heir(yard, {"old": [(0, "a.jpg")]})
    yard.look()
    yard.run()
    yard.bench.job("y", state=JobState.PLANNING, plan_lease_until=1e12, since_job="z")
    # It has taken over something already, and is not planned to the end.
    yard.bench.db.write(partial(references.add, job_id="y", refers_to="z", why="carries"))
    with capture_logs() as logs:
        yard.look()
    assert (yard.of("z"), yard.refers("z"), logs) == (None, {"old": "carries"}, [])
    yard.bench.db.write(lambda s: s.execute(update(Job).values(state=JobState.SUCCEEDED)))
    yard.look()
    assert yard.of("z") is not None
    assert "old" not in yard.refers("z")


def test_what_moves_is_decided_once(sqlite_yard: Yard, monkeypatch: pytest.MonkeyPatch) -> None:
    """Another planner goes on, and meanwhile retries have made more of what was taken over dead."""
    yard = sqlite_yard
    monkeypatch.setattr("scheduler.compacted_parts._SHARD_ITEMS", 1)
    for old, name in (("old", "a.jpg"), ("other", "b.jpg")):
        yard.job(old, [name])
    job = heir(yard, {"old": [(0, "a.jpg")], "other": [(0, "b.jpg")]})
    before = seen(yard, "z")
    accept(yard.bench.db, job)
    for _ in range(2):
        yard.planner.tick()
    yard.planner.close()
    more = update(Shard).where(Shard.job_id.in_(["old", "other"])).values(succeeded=9)
    yard.bench.db.write(lambda s: s.execute(more))
    yard.run()
    yard.look()
    assert yard.of("z") is not None
    assert seen(yard, "z") == before
    assert {"old", "other"} <= set(yard.refers("z"))


def test_one_job_whose_output_is_gone_keeps_no_other_from_being_compacted(
    sqlite_yard: Yard,
) -> None:
    yard = sqlite_yard
    yard.job("a", ["a.jpg"], ["b.jpg"])
    yard.job("old", ["a.jpg", "b.jpg", "c.jpg"], finished_at=0.0)
    heir(yard, {"old": [(0, "a.jpg")]}, finished_at=2000.0)
    rmtree(yard.bench.read_job("z").output)
    with capture_logs() as logs:
        assert yard.look() == 1
    assert [one.name for one in yard.compactions()] == ["compact-a"]
    assert [entry["event"] for entry in logs] == [
        "cannot tell whether to compact",
        "compaction begins",
    ]


def test_a_job_that_was_retried_just_then_is_not_compacted(sqlite_yard: Yard) -> None:
    yard = sqlite_yard
    seen = yard.job("a", ["a.jpg", "bad.jpg"], state=JobState.PARTIAL)
    yard.retry("a")
    with pytest.raises(UsageError, match="was retried meanwhile"):
        accept(yard.bench.db, seen)
    assert yard.compactions() == []


def test_a_job_whose_output_is_gone_can_be_removed(sqlite_yard: Yard) -> None:
    yard = sqlite_yard
    yard.job("old", ["a.jpg", "b.jpg", "c.jpg"])
    heir(yard, {"old": [(0, "a.jpg")]})
    yard.look()
    yard.run()
    rmtree(yard.bench.read_job("z").output)
    yard.look()
    remove_job(yard.bench.db, "z", with_output=True)
    assert yard.compactions() == []


def test_a_removal_is_stopped_with_its_scheduler(sqlite_yard: Yard) -> None:
    yard = sqlite_yard
    yard.job("a", ["a.jpg", "bad.jpg"], state=JobState.PARTIAL)
    yard.compact(yard.bench.read_job("a"))
    yard.retry("a")
    Compactor(yard.bench.db, is_stopped=lambda: True).tick()
    assert len(yard.compactions()) == 1
    yard.look()
    assert yard.compactions() == []


def test_what_another_scheduler_has_removed_is_no_trouble(
    sqlite_yard: Yard, monkeypatch: pytest.MonkeyPatch
) -> None:
    yard = sqlite_yard
    for step in ("ended", "unneeded"):  # as they were a moment ago
        monkeypatch.setattr(compactions, step, lambda *_, **__: ["gone"])
    monkeypatch.setattr(compactions, "compactable", lambda *_, **__: [("gone", 0, 9)])
    with capture_logs() as logs:
        assert yard.look() == 0
    assert logs == []


def test_trouble_with_a_removal_is_said_ever_more_rarely(sqlite_yard: Yard) -> None:
    yard = sqlite_yard
    yard.job("a", ["a.jpg", "bad.jpg"], state=JobState.PARTIAL)
    yard.compact(yard.bench.read_job("a"))
    yard.retry("a")
    which = update(Job).where(Job.kind == ShardKind.COMPACT)
    yard.bench.db.write(lambda s: s.execute(which.values(output="gs://elsewhere/x")))
    with capture_logs() as logs:
        for _ in range(100):
            yard.seconds += 2.5
            yard.compactor.tick()
    said = [entry for entry in logs if entry["event"] == "compaction not removed"]
    assert 1 < len(said) < 10


def test_the_next_run_takes_over_from_the_compaction(sqlite_yard: Yard) -> None:
    yard = sqlite_yard
    yard.job("old", ["a.jpg", "b.jpg", "c.jpg"])
    job = heir(yard, {"old": [(0, "a.jpg")]})
    compaction = yard.compact(job)
    [row] = yard.bench.db.read(lambda s: [s.get_one(Job, compaction.job)])
    assert row.past_profiles == [PROFILE.to_json()]
    origins = Origins(yard.bench.db)
    number = origins.number((compaction.job, compaction.output, "results/part-000001.parquet"))
    assert origins.part(number).sha256
    assert origins.offers(number) == {OFFER}


@pytest.fixture
def bucket(moto_server: Server) -> Iterator[str]:
    options = moto_server.options()
    name = f"bucket-{uuid4().hex}"
    s3_client(options).create_bucket(Bucket=name)
    use_s3(options)
    yield f"s3://{name}"
    use_s3(S3Options())


def test_in_buckets_too(sqlite_yard: Yard, bucket: str) -> None:
    yard = sqlite_yard
    yard.job("old", ["a.jpg", "b.jpg", "c.jpg"], output=f"{bucket}/old")
    data = picture(yard, "old", "a.jpg")
    job = heir(yard, {"old": [(0, "a.jpg")]}, output=f"{bucket}/z")
    found = yard.compact(job)
    remove_job(yard.bench.db, "old", with_output=True)
    assert not list(open_store(f"{bucket}/old/").list())
    assert found.output == f"{bucket}/z/compact/{found.job}"
    assert seen(yard, "z")["a.jpg"] == (found.job, data, "cat")
    assert set(read(found, ITEMS)["annotated"].to_pylist()) == {
        f"{bucket}/z/annotated/own.jpg",
        f"{found.output}/annotated/old/a.jpg",
    }
    remove_job(yard.bench.db, "z", with_output=True)
    assert not list(open_store(f"{bucket}/z/").list())
