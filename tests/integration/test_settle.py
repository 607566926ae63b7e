import hashlib
import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import update
from structlog.testing import capture_logs

from core.digests import Digests
from core.errors import BadInputError, BlockedError, RetryableError
from core.items import ItemRef
from core.layout import part_name, results_part, staged_results_part
from core.retry import Failure
from core.states import ItemState, JobMoves, JobState
from core.work import Counts, Hold, ShardResult
from scheduler.manifest import job_manifest
from scheduler.settle import Settler
from store import jobs, leases, settling
from store.files import FileObjects
from store.parts import ResultRow, encode_rows, iter_rows
from store.tables import Job
from tests.bench import MODEL, OPTIONS, PROFILE, Bench, rows_artefact


def settler(bench: Bench) -> Settler:
    return Settler(bench.db, grace_seconds=5)


def rows(start: int, stop: int, bad: tuple[int, ...] = ()) -> list[ResultRow]:
    return [
        ResultRow(
            item=ItemRef(index, f"{index}.jpg", size=9),
            task="detect",
            model="m",
            state=ItemState.QUARANTINED if index in bad else ItemState.SUCCEEDED,
            reason="decode_failed: bad" if index in bad else None,
        )
        for index in range(start, stop)
    ]


def stage(bench: Bench, hold: Hold, bad: tuple[int, ...] = ()) -> bytes:
    """What a worker does up to its commit."""
    shard = bench.read_shard(hold.shard)
    part = encode_rows(rows(shard.start, shard.stop, bad))
    bench.output(shard.job_id).put(staged_results_part(part_name(shard.seq), hold.attempt), part)
    counts = Counts(shard.items - len(bad), 0, len(bad))
    rows_ = rows_artefact(hold, hashlib.sha256(part).hexdigest(), len(part), seq=shard.seq)
    committed = ShardResult((rows_,), counts)
    assert bench.db.write(lambda s: leases.commit(s, hold, committed, now=bench.clock.now))
    return part


def finish(bench: Bench, hold: Hold, bad: tuple[int, ...] = ()) -> bytes:
    """What a worker does up to the end."""
    part = stage(bench, hold, bad)
    shard = bench.read_shard(hold.shard)
    bench.output(shard.job_id).copy(
        staged_results_part(part_name(shard.seq), hold.attempt), results_part(part_name(shard.seq))
    )
    bench.publish(hold)
    return part


def manifest(bench: Bench) -> dict[str, Any]:
    content: dict[str, Any] = json.loads(bench.output("a").get("manifest.json"))
    return content


def keys(bench: Bench, prefix: str) -> list[str]:
    return [info.key for info in bench.output("a").list(prefix)]


def result(bench: Bench, seq: int) -> list[tuple[str, str, str | None]]:
    found = iter_rows(bench.output("a").get(results_part(part_name(seq))))
    return [(row["item"], row["state"], row["reason"]) for row in found]


def test_what_a_worker_left_unpublished_is_published(bench: Bench) -> None:
    bench.job("a", [2, 2])
    hold = bench.run("a")
    part = stage(bench, hold)
    bench.clock.now += 4
    settler(bench).tick()
    assert bench.states("a") == ["committed", "pending"]
    bench.clock.now += 1
    settler(bench).tick()
    assert bench.states("a") == ["done", "pending"]
    assert bench.output("a").get("results/part-000000.parquet") == part


def test_a_killed_settler_is_followed_by_another(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    bench.job("a", [2])
    part = stage(bench, bench.run("a"))
    bench.clock.now += 5

    def die(*_: object) -> bool:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(leases, "published", die)
        with pytest.raises(KeyboardInterrupt):
            settler(bench).tick()
    assert settler(bench).tick() == 1
    assert bench.output("a").get("results/part-000000.parquet") == part
    assert bench.read_job("a").state is JobState.SUCCEEDED


def test_a_job_whose_items_all_succeeded(bench: Bench) -> None:
    bench.job("a", [2, 1], priority=3, tags=["x"])
    parts = [finish(bench, bench.run("a")) for _ in range(2)]
    bench.output("a").put("_attempts/000000/9/part.parquet", b"of a worker that was overtaken")
    bench.output("a").put("items/part-00000-7.parquet", b"of a planner that was overtaken")
    bench.clock.now = 2000.0
    assert settler(bench).tick() == 1
    assert settler(bench).tick() == 0
    job = bench.read_job("a")
    assert (job.state, job.finished_at) == (JobState.SUCCEEDED, 2000.0)
    assert keys(bench, "_attempts/") == []
    assert keys(bench, "items/") == ["items/part-00000-1.parquet"]
    found = manifest(bench)
    described = found.pop("parts")
    assert found.pop("artefacts") == []
    assert found == {
        "format": 1,
        "job": {
            "id": "a",
            "name": "a",
            "kind": "infer",
            "state": "succeeded",
            "generation": 0,
            "priority": 3,
            "tags": ["x"],
            "created": "1970-01-01T00:16:40.000Z",
            "started": "1970-01-01T00:16:40.000Z",
            "finished": "1970-01-01T00:33:20.000Z",
            "error": None,
        },
        "task": "detect",
        "source": "/nowhere/",
        "selection": job.selection,
        "model": MODEL.to_json(),
        "options": OPTIONS.to_json(),
        "request": None,
        "effective": None,
        "digests": Digests.of(MODEL, OPTIONS).to_json(),
        "profile": PROFILE.to_json(),
        "profiles": [PROFILE.to_json()],
        "regatta": "0",
        "items": {
            "listed": 3,
            "succeeded": 3,
            "skipped": 0,
            "quarantined": 0,
            "cancelled": 0,
            "passed_over": {},
        },
    }
    assert [(p["key"], p["sha256"], p["bytes"], p["succeeded"]) for p in described] == [
        (f"results/part-{seq:06d}.parquet", hashlib.sha256(part).hexdigest(), len(part), count)
        for seq, (part, count) in enumerate(zip(parts, (2, 1), strict=True))
    ]
    assert described[1]["items"] == {"key": "items/part-00000-1.parquet", "start": 2, "stop": 3}


def test_the_manifest_says_which_part_was_made_under_which_profile(bench: Bench) -> None:
    bench.job("a", [2, 2, 2])
    finish(bench, bench.run("a"))
    finish(bench, bench.run("a"), bad=(3,))
    finish(bench, bench.run("a"), bad=(4, 5))
    settler(bench).tick()
    found = manifest(bench)
    assert found["profiles"] == [PROFILE.to_json()]
    assert [(part["profile"], part.get("profiles")) for part in found["parts"]] == [(0, None)] * 3

    bench.db.write(lambda s: jobs.reopen(s, "a", now=1.0))
    assert bench.leave_profile("a")
    threads = replace(PROFILE, threads=3)
    assert bench.freeze("a", threads)
    finish(bench, bench.run("a"))
    finish(bench, bench.run("a"))
    settler(bench).tick()
    found = manifest(bench)
    assert (found["profile"], found["profiles"]) == (
        threads.to_json(),
        [PROFILE.to_json(), threads.to_json()],
    )
    made = [(part["profile"], part.get("profiles")) for part in found["parts"]]
    assert made == [(0, None), (1, [0, 1]), (1, None)]


def test_a_job_called_off_before_it_was_frozen_anew_names_its_last_profile(bench: Bench) -> None:
    bench.job("a", [2, 2])
    finish(bench, bench.run("a"))
    bench.leave_profile("a")
    bench.db.write(lambda s: jobs.stop(s, "a", JobMoves.CANCEL, now=1.0))
    settler(bench).tick()
    found = manifest(bench)
    assert (found["profile"], found["profiles"]) == (PROFILE.to_json(), [PROFILE.to_json()])


def test_a_job_with_quarantined_items_is_partial(bench: Bench) -> None:
    bench.job("a", [2])
    finish(bench, bench.run("a"), bad=(1,))
    settler(bench).tick()
    assert bench.read_job("a").state is JobState.PARTIAL
    assert manifest(bench)["items"]["quarantined"] == 1


def test_a_job_without_items_succeeds(bench: Bench) -> None:
    bench.job("a")
    assert settler(bench).tick() == 1
    assert bench.read_job("a").state is JobState.SUCCEEDED
    assert manifest(bench)["parts"] == []


@pytest.mark.parametrize(
    ("move", "end"),
    [(JobMoves.CANCEL, JobState.CANCELLED), (JobMoves.FAIL, JobState.FAILED)],
)
def test_a_job_that_was_called_off(bench: Bench, move: Any, end: JobState) -> None:
    bench.job("a", [2, 2, 2, 2])
    finish(bench, bench.run("a"))
    drained, running = bench.run("a"), bench.run("a")
    bench.db.write(lambda s: jobs.stop(s, "a", move, now=1.0, error="why"))
    bench.hand_back(drained)
    assert settler(bench).tick() == 0
    assert bench.states("a") == ["done", "cancelled", "running", "cancelled"]
    finish(bench, running, bad=(4,))
    assert settler(bench).tick() == 1
    assert bench.read_job("a").state is end
    found = manifest(bench)
    assert (found["job"]["state"], found["job"]["error"]) == (end.value, "why")
    assert found["items"] == {
        "listed": 8,
        "succeeded": 3,
        "skipped": 0,
        "quarantined": 1,
        "cancelled": 4,
        "passed_over": {},
    }
    assert [part["key"] for part in found["parts"]] == [
        results_part(part_name(0)),
        results_part(part_name(2)),
    ]


def test_every_item_of_a_failed_shard_has_its_row(bench: Bench) -> None:
    bench.job("a", [2, 2])
    finish(bench, bench.run("a"))
    bench.fail(bench.run("a"), max_tries=1)
    assert settler(bench).tick() == 1
    reason = "shard_failed: it broke"
    assert result(bench, 1) == [
        ("2.jpg", "quarantined", reason),
        ("3.jpg", "quarantined", reason),
    ]
    shard = bench.read_shard(2)
    part = bench.output("a").get(results_part(part_name(1)))
    assert (shard.part_digest, shard.part_size) == (hashlib.sha256(part).hexdigest(), len(part))
    assert bench.read_job("a").state is JobState.PARTIAL


def test_a_retry_that_fails_leaves_what_had_succeeded(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    bench.job("a", [3])
    finish(bench, bench.run("a"), bad=(1, 2))
    settler(bench).tick()
    only = jobs.Choice(0, {1: [1]}, is_all=False)
    assert bench.db.write(lambda s: jobs.reopen(s, "a", now=1.0, choice=only)) == 1
    bench.fail(bench.run("a"), Failure.PROCESS_DIED, max_tries=1)

    def die(*_: object, **__: object) -> bool:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(settling, "bury", die)
        with pytest.raises(KeyboardInterrupt):
            settler(bench).tick()
    part = bench.output("a").get(results_part(part_name(0)))
    assert settler(bench).tick() == 1
    assert bench.output("a").get(results_part(part_name(0))) == part
    assert result(bench, 0) == [
        ("0.jpg", "succeeded", None),
        ("1.jpg", "quarantined", "shard_failed: it broke"),
        ("2.jpg", "quarantined", "decode_failed: bad"),  # it was not tried again
    ]
    tally = bench.tally("a")
    assert (tally.succeeded, tally.quarantined, tally.pending) == (1, 2, 0)
    assert manifest(bench)["job"]["generation"] == 1


def test_a_failed_shard_may_be_retried_to_success(bench: Bench) -> None:
    bench.job("a", [2])
    bench.fail(bench.run("a"), max_tries=1)
    settler(bench).tick()
    bench.db.write(lambda s: jobs.reopen(s, "a", now=1.0))
    finish(bench, bench.run("a"))
    assert settler(bench).tick() == 1
    assert bench.read_job("a").state is JobState.SUCCEEDED
    assert {state for _, state, _ in result(bench, 0)} == {"succeeded"}


def test_shards_that_waited_are_let_go(bench: Bench) -> None:
    bench.job("a", [1, 1])
    with bench.db.engine.begin() as connection:
        connection.exec_driver_sql("UPDATE shards SET state = 'waiting' WHERE seq = 1")
    bench.needs(2, 1)
    settler(bench).tick()
    assert bench.states("a") == ["pending", "waiting"]
    finish(bench, bench.run("a"))
    settler(bench).tick()
    assert bench.states("a") == ["done", "pending"]


def test_one_job_that_cannot_be_written_does_not_hold_up_the_others(
    bench: Bench, tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("no folder")
    for job in ("bad", "worse", "a"):
        bench.job(job, [1])
    stage(bench, bench.run("bad"))
    bench.fail(bench.run("worse"), max_tries=1)
    finish(bench, bench.run("a"))
    bench.job("worst", output=str(tmp_path / "file" / "sub"), created_at=0.0)
    unwritable = update(Job).where(Job.id.in_(("bad", "worse")))
    bench.db.write(lambda s: s.execute(unwritable.values(output=str(tmp_path / "file" / "sub"))))
    bench.clock.now += 10
    settling_all = settler(bench)
    assert settling_all.tick() == 1
    assert bench.read_job("a").state is JobState.SUCCEEDED
    assert settling_all.tick() == 3  # though none of them can write its manifest
    found = {job: bench.read_job(job) for job in ("bad", "worse", "worst")}
    assert {job.state for job in found.values()} == {JobState.FAILED}
    assert "000000/1/part.parquet" in str(found["bad"].error)
    assert "items/part-00000-1.parquet" in str(found["worse"].error)
    assert "manifest.json" in str(found["worst"].error)


def test_two_settlers_end_a_job_once(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    bench.job("a", [2])
    finish(bench, bench.run("a"), bad=(0,))
    real = settling.results_of
    others: list[int] = []

    def meanwhile(*args: Any) -> Any:
        if not others:
            others.append(0)
            others.append(settler(bench).tick())
            assert bench.db.write(lambda s: jobs.reopen(s, "a", now=1.0)) == 1
            stage(bench, bench.run("a"))
        return real(*args)

    monkeypatch.setattr(settling, "results_of", meanwhile)
    assert settler(bench).tick() == 0
    assert others == [0, 1]
    assert bench.read_job("a").state is JobState.RUNNING
    assert keys(bench, "_attempts/") == [
        staged_results_part(part_name(0), 2)
    ]  # the retry's, not yet final


def test_what_nobody_foresaw_in_one_job_does_not_hold_up_the_others(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    bench.job("odd", [1], created_at=0.0)
    bench.job("a", [1])
    for job in ("odd", "a"):
        finish(bench, bench.run(job))

    def manifest_of(job: Job, *args: Any, **more: Any) -> dict[str, Any]:
        if job.id == "odd":
            raise ValueError("nobody foresaw this")
        return job_manifest(job, *args, **more)

    monkeypatch.setattr("scheduler.manifest.job_manifest", manifest_of)
    assert settler(bench).tick() == 1
    odd = bench.read_job("odd")
    assert (odd.state, odd.error) == (
        JobState.RUNNING,
        "unexpected: ValueError('nobody foresaw this')",
    )
    assert bench.read_job("a").state is JobState.SUCCEEDED


def test_a_shard_whose_items_are_gone_fails_its_job_alone(bench: Bench) -> None:
    for job in ("a", "b"):
        bench.job(job, [2, 2])
    bench.fail(bench.run("a"), max_tries=1)
    finish(bench, bench.run("b"))
    bench.output("a").delete("items/part-00000-1.parquet")
    turning = settler(bench)
    assert turning.tick() == 1
    assert bench.states("a") == ["cancelled", "cancelled"]
    ended = bench.read_job("a")
    assert ended.state is JobState.FAILED
    assert "items/part-00000-1.parquet, which this job needs, is gone" in str(ended.error)
    assert "regatta run --like a" in str(ended.error)
    assert manifest(bench)["job"]["error"] == ended.error
    assert bench.states("b") == ["done", "pending"]


def test_published_parts_that_are_gone_fail_the_job_and_are_made_anew(bench: Bench) -> None:
    bench.job("a", [2, 1])
    parts = [finish(bench, bench.run("a")) for _ in range(2)]
    bench.output("a").delete(results_part(part_name(1)))
    turning = settler(bench)
    assert turning.tick() == 0
    assert turning.tick() == 1
    ended, tally = bench.read_job("a"), bench.tally("a")
    assert ended.state is JobState.FAILED
    assert "1 of 2 result parts are gone" in str(ended.error)
    assert (tally.succeeded, tally.cancelled) == (2, 1)
    assert [part["key"] for part in manifest(bench)["parts"]] == [results_part(part_name(0))]
    assert bench.db.write(lambda s: jobs.reopen(s, "a", now=bench.clock.now)) == 1
    assert finish(bench, bench.run("a")) == parts[1]
    assert turning.tick() == 1
    ended = bench.read_job("a")
    assert (ended.state, ended.error) == (JobState.SUCCEEDED, None)


def test_what_a_listing_does_not_show_yet_is_not_gone(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    bench.job("a", [2])
    finish(bench, bench.run("a"))
    monkeypatch.setattr(FileObjects, "list", lambda *_: iter(()))
    assert settler(bench).tick() == 1
    assert bench.read_job("a").state is JobState.SUCCEEDED


def test_a_staged_part_that_may_not_be_read_is_waited_for(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    bench.job("a", [2])
    stage(bench, bench.run("a"))
    bench.clock.now += 10
    turning = Settler(bench.db, monotonic=bench.clock)
    with monkeypatch.context() as patch:
        patch.setattr(FileObjects, "copy", failing(BadInputError("access_denied", "no")))
        turning.tick()
    job = bench.read_job("a")
    assert job.state is JobState.RUNNING
    assert str(job.error).endswith("cannot be read: no (let the workers read it)")
    bench.clock.now += 10
    assert turning.tick() == 1


@pytest.mark.parametrize("error", [RetryableError("busy"), BlockedError("disk full")])
def test_a_job_waits_for_its_output_and_says_so(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, error: RetryableError
) -> None:
    bench.job("a", [1])
    finish(bench, bench.run("a"))
    turning = Settler(bench.db, monotonic=bench.clock)
    with monkeypatch.context() as patch, capture_logs() as logs:
        patch.setattr(FileObjects, "put", failing(error))
        for _ in range(150):
            assert turning.tick() == 0
            bench.clock.now += 4
    assert bench.read_job("a").state is JobState.RUNNING
    assert bench.read_job("a").error == str(error)
    assert 5 < len(logs) < 15  # 150 turns, ten minutes
    bench.clock.now += 10
    assert turning.tick() == 1
    ended = bench.read_job("a")
    assert (ended.state, ended.error) == (JobState.SUCCEEDED, None)


def test_a_cancelled_job_ends_even_if_nothing_can_be_written(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    bench.job("a", [1, 1, 1, 1])
    finish(bench, bench.run("a"))
    stage(bench, bench.run("a"))  # committed, but not published
    bench.fail(bench.run("a"), max_tries=1)  # without a tombstone
    turning = Settler(bench.db, monotonic=bench.clock)
    assert bench.db.write(lambda s: jobs.stop(s, "a", JobMoves.CANCEL, now=bench.clock.now))
    with monkeypatch.context() as patch:
        for method in ("put", "copy", "list", "get"):
            patch.setattr(FileObjects, method, failing(BlockedError("disk full")))
        bench.clock.now += 10
        assert sum(_turns(bench, turning, 20)) == 0
        assert sum(_turns(bench, turning, 20)) == 1
    ended = bench.read_job("a")
    assert ended.state is JobState.CANCELLED
    assert ended.error == "manifest.json could not be written: disk full"
    assert bench.states("a") == ["done", "cancelled", "cancelled", "cancelled"]
    assert bench.db.write(lambda s: jobs.reopen(s, "a", now=bench.clock.now)) == 3
    for _ in range(3):
        finish(bench, bench.run("a"))
    assert turning.tick() == 1
    assert bench.tally("a").succeeded == 4


def _turns(bench: Bench, turning: Settler, seconds: int) -> Iterator[int]:
    for _ in range(seconds):
        yield turning.tick()
        bench.clock.now += 1


def failing(error: Exception) -> Callable[..., Any]:
    def fail(*_: Any, **__: Any) -> Any:
        raise error

    return fail


def test_a_job_in_trouble_does_not_crowd_out_the_others(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    bench.job("a", [1] * 101)
    for _ in range(101):
        stage(bench, bench.run("a"))
    bench.job("b", [1])
    stage(bench, bench.run("b"))
    bench.clock.now += 10
    real = FileObjects.copy

    def copy(self: FileObjects, src: str, dst: str) -> None:
        if "/a/" in self.url(src):
            raise RetryableError("busy")
        real(self, src, dst)

    monkeypatch.setattr(FileObjects, "copy", copy)
    turning = Settler(bench.db, monotonic=bench.clock)
    turning.tick()
    assert turning.tick() == 1
    assert bench.read_job("b").state is JobState.SUCCEEDED
