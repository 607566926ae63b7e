import json
import time
from pathlib import Path

import pytest
from sqlalchemy import update

from core.kinds import ShardKind
from core.states import JobState, ShardState
from store.processes import SCHEDULER
from store.tables import Job, Shard
from tests.bench import Bench
from tests.unit.cli.conftest import Regatta


@pytest.fixture
def old(bench: Bench, photos: Path) -> Job:
    """A segmentation that has ended."""
    model = {"name": "m", "task": "segment", "digest": "d" * 64, "location": "/gone"}
    bench.job("a", [2, 1], source=f"{photos}/", model=model, task="segment")
    ended = update(Shard).values(
        state=ShardState.DONE, part_attempt=1, part_digest="p" * 64, part_size=1, succeeded=1
    )
    bench.db.write(lambda s: s.execute(ended))
    bench.db.write(lambda s: s.execute(update(Job).values(state=JobState.SUCCEEDED)))
    return bench.read_job("a")


def test_no_wait_prints_the_id_of_a_job_of_its_own(
    bench: Bench, regatta: Regatta, old: Job
) -> None:
    result = regatta("redraw", "a", "--alpha", "0.2", "--output", "pale", "--no-wait")
    assert result.exit_code == 0, result.stderr
    assert "no scheduler is running" in result.stderr
    job = bench.read_job(result.stdout.strip())
    assert (job.kind, job.state) == (ShardKind.RENDER.value, JobState.PLANNING)
    assert job.output == str(bench.root / "pale")
    assert job.options == old.options | {"alpha": 0.2}


def test_a_dry_run_says_what_would_be_drawn(bench: Bench, regatta: Regatta, old: Job) -> None:
    result = regatta("redraw", "latest", "--dry-run", "--format", "json")
    said = json.loads(result.stdout)
    assert (said["job"], said["items"], said["shards"]) == ("a", 3, 2)
    assert len(json.loads(regatta("jobs", "--format", "json").stdout)) == 1


def test_what_nothing_heeds_is_refused(regatta: Regatta, old: Job) -> None:
    result = regatta("redraw", "a", "--background", "white")
    assert result.exit_code == 2
    assert "--background means nothing to 'm'" in result.stderr
    assert "leave --background out" in result.stderr


def test_a_scheduler_that_would_plan_inference_is_in_the_way(
    bench: Bench, regatta: Regatta, old: Job
) -> None:
    bench.clock.now = time.time()
    bench.worker("old", role=SCHEDULER, kinds=(ShardKind.INFER,), queues=(), offers=())
    result = regatta("redraw", "a", "--no-wait")
    assert result.exit_code == 2
    assert "too old to plan this" in result.stderr


def test_a_job_that_draws_leaves_no_profile(bench: Bench, regatta: Regatta, old: Job) -> None:
    job = regatta("redraw", "a", "--no-wait").stdout.strip()
    result = regatta("retry", job, "--reprofile")
    assert result.exit_code == 2
    assert "runs on no engine" in result.stderr
