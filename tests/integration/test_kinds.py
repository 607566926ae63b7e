"""Shards of other kinds than inference: who takes them, what they need, plan and publish."""

from collections.abc import Mapping
from dataclasses import replace
from hashlib import sha256
from typing import Any

import pytest
from sqlalchemy import update
from sqlalchemy.exc import IntegrityError

from core.items import ItemRef
from core.kinds import ArtefactRole, ShardKind
from core.layout import artefact, child_part, staged_artefact
from core.retry import Failure
from core.states import JobMoves, JobState, ShardState
from core.work import Artefact, Counts, Hold, ShardResult, WorkUnit
from scheduler.manifest import job_manifest
from scheduler.settle import Settler
from store import jobs, planning, processes, profiles, references, settling
from store.artefacts import artefacts_of, part_of
from store.leases import Refusal
from store.manifests import encode_items
from store.planning import NewShard
from store.tables import Job, Shard
from tests.bench import Bench, rows_artefact

ITEMS = "items/part-00000-1.parquet"
NOTHING = ShardResult((), Counts())


def new(kind: ShardKind, *, items: int | None = None, **values: Any) -> NewShard:
    queue = "detect" if kind is ShardKind.INFER else "media"
    return NewShard(kind, queue, ITEMS, 0, 1, items=items, **values)


def start(bench: Bench, kind: ShardKind = ShardKind.PROBE, **values: Any) -> Hold:
    """A job with one shard of this kind, which a worker holds."""
    bench.job("a")
    bench.output("a").put(
        ITEMS, encode_items([ItemRef(index, f"{index}.jpg", size=9) for index in (0, 1)])
    )
    bench.shard("a", seq=0, kind=kind, **values)
    return take(bench, kind)


def take(bench: Bench, kind: ShardKind) -> Hold:
    [hold] = bench.queue("a", kind=kind)
    assert isinstance(bench.claim(hold), WorkUnit)
    return hold


def family(bench: Bench) -> dict[str, tuple[str, str]]:
    """Kind and state of the job's shards, by part."""
    shards = bench.db.read(lambda s: s.query(Shard).where(Shard.job_id == "a").all())
    return {part_of(shard): (shard.kind, shard.state.value) for shard in shards}


def finish(bench: Bench, hold: Hold, children: Mapping[int, NewShard] | None = None) -> None:
    assert bench.end(hold, NOTHING, children)
    assert bench.publish(hold)


def settle(bench: Bench) -> None:
    Settler(bench.db).tick()


# Who takes what


def test_who_does_not_know_a_kind_gives_it_back_without_a_try(bench: Bench) -> None:
    bench.job("a")
    shard = bench.shard("a", seq=0, kind=ShardKind.RENDER)
    [hold] = bench.queue("a", kind=ShardKind.RENDER)
    assert bench.claim(hold, kinds={ShardKind.INFER}) is Refusal.UNKNOWN_KIND
    assert (bench.states("a"), bench.read_shard(shard).tries) == (["pending"], 0)
    assert bench.queue("a", kind=ShardKind.RENDER) == []  # not at once
    assert bench.claim(hold) is Refusal.STALE
    bench.clock.now += 1.0
    take(bench, ShardKind.RENDER)


def test_a_kind_of_a_newer_version_is_left_to_it(bench: Bench) -> None:
    bench.job("a")
    shard = bench.shard("a", seq=0)
    newer = update(Shard).values(kind="dream", state=ShardState.QUEUED, attempt=1, queued_at=0.0)
    bench.db.write(lambda s: s.execute(newer))
    assert bench.tally("a").listed == 0
    assert bench.claim(Hold(shard, 1)) is Refusal.UNKNOWN_KIND
    assert bench.states("a") == ["pending"]


def test_what_needs_no_engine_needs_neither_offer_nor_profile(bench: Bench) -> None:
    bench.job("a", profile=None)
    bench.shard("a", seq=0, kind=ShardKind.RENDER, spec={"of": "b"})
    bench.shard("a", seq=1)
    [hold] = bench.queue("a", kind=ShardKind.RENDER)
    assert bench.queue("a") == []
    unit = bench.claim(hold, offers=())
    assert isinstance(unit, WorkUnit)
    assert (unit.kind, unit.frozen_profile, unit.spec) == (ShardKind.RENDER, None, {"of": "b"})


def test_a_worker_of_the_versions_before_knows_inference_only(bench: Bench) -> None:
    bench.worker("before", kinds=(), queues=("detect", "media"))
    bench.db.write(lambda s: s.execute(update(processes.Process).values(kinds=None)))
    bench.worker("media", kinds=(ShardKind.RENDER,), queues=("media",), offers=())
    rows = bench.db.read(lambda s: processes.live(s, processes.WORKER, now=1000.0, within=1))
    before, media = sorted(rows, key=lambda row: row.id)
    assert processes.takes(before, "detect", ShardKind.INFER, None)
    assert not processes.takes(before, "media", ShardKind.RENDER, None)
    assert processes.takes(media, "media", ShardKind.RENDER, None)
    assert not processes.takes(media, "detect", ShardKind.RENDER, None)


def test_only_jobs_that_infer_are_frozen_to_a_profile(bench: Bench) -> None:
    bench.job("a", profile=None)
    bench.job("b", profile=None, kind=ShardKind.RENDER.value)
    assert [job.id for job in bench.db.read(profiles.unprofiled)] == ["a"]


def test_a_planner_takes_jobs_of_its_kinds(bench: Bench) -> None:
    bench.job("a", state=JobState.PLANNING, kind=ShardKind.RENDER.value)

    def claim(kind: ShardKind) -> planning.PlanHold | None:
        return bench.db.write(
            lambda s: planning.claim_plan(s, "p", kinds=[kind], now=1000.0, lease_seconds=30)
        )

    assert claim(ShardKind.INFER) is None
    assert claim(ShardKind.RENDER) == planning.PlanHold("a", 1)


# Children


def test_a_probe_plans_what_it_found(bench: Bench) -> None:
    hold = start(bench, stop=2)
    assert bench.tally("a").listed == 2
    children = {
        number: new(ShardKind.INFER, items=1, spec={"from": number}, needs=("000000",))
        for number in (0, 1)
    }
    parts = tuple(child_part("000000", number) for number in children)
    assert bench.end(hold, NOTHING, {**children, 2: new(ShardKind.STITCH, needs=parts)})
    assert family(bench) == {
        "000000": ("probe", "committed"),
        "000000-000": ("infer", "waiting"),
        "000000-001": ("infer", "waiting"),
        "000000-002": ("stitch", "waiting"),
    }
    tally = bench.tally("a")
    assert (tally.listed, tally.succeeded, tally.pending) == (2, 0, 2)  # the items are theirs now
    assert bench.publish(hold)
    settle(bench)
    inferring = bench.queue("a", 5)
    units = [bench.claim(one) for one in inferring]
    assert [(u.part, u.spec) for u in units if isinstance(u, WorkUnit)] == [
        ("000000-000", {"from": 0}),
        ("000000-001", {"from": 1}),
    ]
    bench.fail(inferring[0], max_tries=1)  # ended, if not well
    settle(bench)
    assert family(bench)["000000-002"] == ("stitch", "waiting")
    bench.commit(inferring[1])
    bench.publish(inferring[1])
    bench.db.write(settling.unblock)
    finish(bench, take(bench, ShardKind.STITCH))


def test_a_commit_that_is_repeated_has_its_children_once(bench: Bench) -> None:
    hold = start(bench)
    children = {7: new(ShardKind.INFER)}
    for _ in range(2):
        assert bench.end(hold, NOTHING, children)
    assert family(bench).keys() == {"000000", "000000-007"}


def test_who_was_overtaken_has_no_children(bench: Bench) -> None:
    hold = start(bench)
    bench.fail(hold, Failure.LEASE_LOST)
    assert not bench.end(hold, NOTHING, {0: new(ShardKind.INFER)})
    assert family(bench) == {"000000": ("probe", "pending")}


def test_a_commit_with_children_that_cannot_be_is_none(bench: Bench) -> None:
    hold = start(bench)
    with pytest.raises(KeyError):
        bench.end(hold, NOTHING, {0: new(ShardKind.INFER, needs=("000099",))})
    assert family(bench) == {"000000": ("probe", "running")}


def test_children_of_a_job_that_is_being_cancelled_are_called_off(bench: Bench) -> None:
    hold = start(bench)
    bench.db.write(lambda s: jobs.stop(s, "a", JobMoves.CANCEL, now=1.0))
    finish(bench, hold, {0: new(ShardKind.INFER)})
    assert bench.db.read(settling.at_their_end) == []
    settle(bench)
    assert family(bench)["000000-000"] == ("infer", "cancelled")
    assert bench.read_job("a").state is JobState.CANCELLED


def test_planned_shards_keep_their_names_whatever_children_come_between(bench: Bench) -> None:
    bench.job("a", state=JobState.PLANNING)

    def plan(key: str) -> None:
        shards = [new(ShardKind.PROBE)]
        assert bench.db.write(
            lambda s: planning.commit_plan_part(
                s,
                planning.PlanHold("a", 1),
                shards=shards,
                cursor={"key": key},
                passed_over={},
                now=1000.0,
                lease_seconds=30,
            )
        )

    bench.db.write(
        lambda s: planning.claim_plan(s, "p", kinds=[ShardKind.INFER], now=1000.0, lease_seconds=30)
    )
    plan("k")
    finish(bench, take(bench, ShardKind.PROBE), {0: new(ShardKind.INFER)})
    plan("l")
    finish(bench, take(bench, ShardKind.PROBE), {0: new(ShardKind.INFER)})
    assert sorted(family(bench)) == ["000000", "000000-000", "000001", "000001-000"]
    assert bench.read_job("a").shards == 2


def test_a_failed_probe_leaves_rows_for_its_items(bench: Bench) -> None:
    bench.job("a", [2])
    bench.db.write(lambda s: s.execute(update(Shard).values(kind="probe", queue="media")))
    bench.fail(take(bench, ShardKind.PROBE), max_tries=1)
    settle(bench)
    tally = bench.tally("a")
    assert (tally.quarantined, bench.read_job("a").state) == (2, JobState.PARTIAL)
    assert bench.output("a").exists("results/part-000000.parquet")


def test_a_job_one_of_whose_joints_failed_is_not_whole_and_can_be_retried(bench: Bench) -> None:
    bench.fail(start(bench, ShardKind.STITCH), max_tries=1)
    settle(bench)
    assert bench.read_job("a").state is JobState.PARTIAL
    assert bench.tally("a").listed == 0
    assert bench.db.write(lambda s: jobs.reopen(s, "a", now=1.0)) == 1
    finish(bench, take(bench, ShardKind.STITCH))
    settle(bench)
    assert bench.read_job("a").state is JobState.SUCCEEDED


# Retries


def joined(bench: Bench) -> int:
    """An ended job whose third shard joins what the other two made, of which one is not whole."""
    bench.job("a", [2, 2])
    joint = bench.shard("a", seq=2, kind=ShardKind.STITCH, state=ShardState.WAITING)
    last = bench.shard("a", seq=3, kind=ShardKind.COMPACT, state=ShardState.WAITING)
    for needed in (1, 2):
        bench.needs(joint, needed)
    bench.needs(last, joint)
    for bad in (1, 0):
        hold = bench.run("a")
        bench.commit(hold, quarantined=bad)
        bench.publish(hold)
    for kind in (ShardKind.STITCH, ShardKind.COMPACT):
        bench.db.write(settling.unblock)
        finish(bench, take(bench, kind))
    settle(bench)
    assert bench.read_job("a").state is JobState.PARTIAL
    return joint


def test_a_retry_runs_again_whatever_is_made_of_what_runs_again(bench: Bench) -> None:
    joined(bench)
    assert bench.db.write(lambda s: jobs.reopen(s, "a", now=1.0)) == 3
    assert bench.states("a") == ["pending", "done", "waiting", "waiting"]
    hold = bench.run("a")
    bench.commit(hold)
    bench.publish(hold)
    for kind in (ShardKind.STITCH, ShardKind.COMPACT):
        settle(bench)
        finish(bench, take(bench, kind))
    settle(bench)
    assert bench.read_job("a").state is JobState.SUCCEEDED


def test_after_a_cancelled_retry_the_next_one_brings_everything_up_to_date(bench: Bench) -> None:
    joined(bench)
    bench.db.write(lambda s: jobs.reopen(s, "a", now=1.0))
    hold = bench.run("a")
    bench.commit(hold)
    bench.publish(hold)
    bench.db.write(lambda s: jobs.stop(s, "a", JobMoves.CANCEL, now=1.0))
    settle(bench)
    assert bench.states("a") == ["done", "done", "cancelled", "cancelled"]
    assert bench.db.write(lambda s: jobs.reopen(s, "a", now=1.0)) == 2
    assert bench.states("a") == ["done", "done", "pending", "waiting"]


# Artefacts


def several(bench: Bench, hold: Hold) -> tuple[Artefact, ...]:
    """The rows and a video that an attempt at the first shard has staged."""
    made = []
    for role, suffix, content in (
        (ArtefactRole.ROWS, ".parquet", b"rows"),
        (ArtefactRole.VIDEO, ".mp4", b"video"),
    ):
        staged = staged_artefact(role, "000000", hold.attempt, suffix)
        bench.output("a").put(staged, content)
        key = artefact(role, "000000", suffix)
        made.append(Artefact(role, staged, key, sha256(content).hexdigest(), len(content)))
    return tuple(made)


def test_all_that_was_committed_is_published_and_listed(bench: Bench) -> None:
    hold = start(bench, ShardKind.RENDER)
    made = several(bench, hold)
    assert bench.end(hold, ShardResult(made, Counts(1)))
    shard = bench.read_shard(hold.shard)
    assert artefacts_of(shard) == list(made)
    bench.clock.now += 10
    settle(bench)
    assert bench.output("a").get("results/part-000000.parquet") == b"rows"
    assert bench.output("a").get("videos/part-000000.mp4") == b"video"
    job, counts = bench.read_job("a"), bench.tally("a")
    assert job.state is JobState.SUCCEEDED
    shards = bench.db.read(lambda s: settling.results_of(s, "a"))
    manifest = job_manifest(job, job.state, counts, shards, finished=1.0)
    assert [(p["key"], p["profile"]) for p in manifest["parts"]] == [
        ("results/part-000000.parquet", None)
    ]
    assert manifest["artefacts"] == [
        {
            "kind": "render",
            "part": "000000",
            "role": "video",
            "key": "videos/part-000000.mp4",
            "sha256": sha256(b"video").hexdigest(),
            "bytes": 5,
        }
    ]


def test_parts_of_kinds_that_do_not_count_are_no_results(bench: Bench) -> None:
    hold = start(bench, ShardKind.COMPACT)
    bench.end(hold, ShardResult((rows_artefact(hold),), Counts()))
    assert bench.db.read(lambda s: settling.parts_of(s, "a")) == []
    assert [shard.id for shard in bench.db.read(lambda s: settling.results_of(s, "a"))] == [1]


# References between jobs


def test_a_job_that_others_refer_to_must_stay(bench: Bench) -> None:
    for job in ("a", "b", "c"):
        bench.job(job)
    for _ in range(2):
        bench.db.write(lambda s: references.add(s, "b", "a", "redraws"))
    bench.db.write(lambda s: references.add(s, "c", "a", "repeats"))
    assert bench.db.read(lambda s: references.references_of(s, "b")) == {"a": "redraws"}
    assert bench.db.read(lambda s: references.referring_to(s, "a")) == {
        "b": "redraws",
        "c": "repeats",
    }
    assert bench.db.read(lambda s: references.referring_to(s, "b")) == {}

    def remove(job: str) -> None:
        bench.db.write(lambda s: s.query(Job).where(Job.id == job).delete())

    with pytest.raises(IntegrityError):
        remove("a")
    remove("b")
    remove("c")
    remove("a")


def test_legends_stay_with_the_rows_that_they_belong_to(bench: Bench) -> None:
    bench.job("a", [2])
    for legends, quarantined in (({"m": {"background": 0}}, 1), ({}, 0)):
        [hold] = bench.queue("a")
        assert isinstance(bench.claim(hold), WorkUnit)
        rows = replace(rows_artefact(hold), legends=legends)
        assert bench.end(hold, ShardResult((rows,), Counts(2 - quarantined, 0, quarantined)))
        assert bench.publish(hold)
        settle(bench)
        bench.db.write(lambda s: jobs.reopen(s, "a", now=1000.0))
    shard = bench.read_shard(hold.shard)
    [published] = artefacts_of(shard)
    assert (published.role, published.legends) == (ArtefactRole.ROWS, {"m": {"background": 0}})
    job = bench.read_job("a")
    manifest = job_manifest(job, job.state, bench.tally("a"), [shard], finished=1.0)
    assert manifest["legends"] == {"m": {"background": 0}}
    assert manifest["artefacts"] == []
