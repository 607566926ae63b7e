"""Jobs that a newer version submitted, with an option that this one does not know."""

import json
from pathlib import Path
from typing import Any

import pytest
from structlog.testing import capture_logs

from config.settings import Settings
from core.retry import Failure
from core.states import JobState
from report.snapshot import snapshot, snapshots
from scheduler.plan import Planner
from scheduler.profiles import Profiler
from scheduler.settle import Settler
from store import leases
from store.jobs import why_newer
from tests.bench import MODEL, OPTIONS, Bench

NEWER = {**OPTIONS.to_json(), "tracker": "byte"}
WHY = "needs a newer Regatta: option 'tracker'"


@pytest.fixture
def source(tmp_path: Path) -> str:
    folder = tmp_path / "data"
    folder.mkdir()
    (folder / "a.jpg").write_bytes(b"x")
    return str(folder)


def left(logs: Any) -> list[tuple[str, str]]:
    return [(entry["job"], entry["why"]) for entry in logs if "left to a newer" in entry["event"]]


def test_the_planner_goes_on_with_other_jobs_and_says_why_once(bench: Bench, source: str) -> None:
    planning = {"state": JobState.PLANNING, "source": source, "profile": None}
    bench.job("newer", options=NEWER, priority=9, **planning)
    bench.job("strange", selection={"frames": 3}, priority=8, **planning)
    bench.job("known", **planning)
    planner = Planner(bench.db, "p1", lease_seconds=30)
    with capture_logs() as logs:
        for _ in range(5):
            planner.tick()
            bench.clock.now += 60
    assert left(logs) == [
        ("newer", WHY),
        ("strange", "needs a newer Regatta: selection 'frames'"),
    ]
    assert bench.read_job("known").state is JobState.RUNNING
    for job in ("newer", "strange"):
        found = bench.read_job(job)
        # Nobody holds it: a newer planner takes it at once.
        assert (found.state, found.plan_lease_until) == (JobState.PLANNING, None)


def test_the_profiler_goes_on_with_other_jobs_and_says_why_once(bench: Bench) -> None:
    bench.job("newer", [1], profile=None, options=NEWER)
    bench.clock.now += 1
    bench.job("known", [1], profile=None)
    bench.worker()
    profiler = Profiler(bench.db, worker_ttl=30)
    with capture_logs() as logs:
        assert [profiler.tick(), profiler.tick()] == [1, 0]
    assert left(logs) == [("newer", WHY)]
    assert bench.read_job("newer").profile is None
    assert bench.read_job("known").profile is not None


@pytest.mark.parametrize(
    "values", [{"options": NEWER}, {"model": {**MODEL.to_json(), "precision": "fp16"}}]
)
def test_a_worker_gives_a_shard_back_without_a_try(bench: Bench, values: dict[str, Any]) -> None:
    bench.job("newer", [1], **values)
    [hold] = bench.queue("newer")
    assert bench.claim(hold) is leases.Refusal.NEWER
    shard = bench.read_shard(hold.shard)
    assert (shard.state.value, shard.tries, shard.worker_id) == ("pending", 0, None)
    # Not offered again at once.
    assert bench.queue("newer") == []
    bench.clock.now += 10
    assert len(bench.queue("newer")) == 1


def test_status_says_why(bench: Bench) -> None:
    bench.job("newer", [1], options=NEWER)
    bench.job("model", [1], model={**MODEL.to_json(), "precision": "fp16"})
    bench.job("known", [1])
    bench.job("ended", state=JobState.CANCELLED, options=NEWER)
    settings = Settings()
    assert snapshot(bench.db, settings, "newer")["needs_newer"] == WHY
    jobs = [bench.read_job(name) for name in ("newer", "model", "known", "ended")]
    assert [seen["needs_newer"] for seen in snapshots(bench.db, settings, jobs)] == [
        WHY,
        "needs a newer Regatta: model key 'precision'",
        None,
        None,
    ]
    assert why_newer(jobs[3]) == WHY


def test_a_cancelled_one_ends_all_the_same(bench: Bench) -> None:
    bench.job("newer", state=JobState.CANCELLING, options=NEWER)
    assert Settler(bench.db).tick() == 1
    assert bench.read_job("newer").state is JobState.CANCELLED
    manifest = json.loads(bench.output("newer").get("manifest.json"))
    assert manifest["options"] == NEWER
    assert manifest["digests"] is None


def test_what_one_left_undone_is_buried_by_a_newer_scheduler(bench: Bench) -> None:
    model = {**MODEL.to_json(), "precision": "fp16"}
    bench.job("job", [1])
    bench.fail(bench.run("job"), Failure.RETRYABLE, max_tries=1)
    job = bench.read_job("job")
    job.model = model
    bench.db.write(lambda s: s.merge(job))
    settler = Settler(bench.db)
    with capture_logs() as logs:
        assert [settler.tick(), settler.tick()] == [0, 0]
    assert left(logs) == [("job", "needs a newer Regatta: model key 'precision'")]
