"""What a person tells a job that runs takes effect at once, and a retry only mends."""

import shutil
from pathlib import Path

from core.states import JobMoves, JobState, ShardState
from store import jobs
from tests.acceptance.fleet import Fleet
from tests.acceptance.outcome import Outcome, outcome
from tests.acceptance.pictures import COUNT


def test_a_paused_job_lets_go_and_goes_on_where_it_was(
    fleet: Fleet, pictures: Path, model: Path, undisturbed: Outcome
) -> None:
    fleet.start(STANDIN_SECONDS="0.3")
    job = fleet.submit(pictures, model, batch_size=1)
    fleet.until(lambda: fleet.tally(job).in_progress, "an item is done")
    assert fleet.db.write(lambda s: jobs.pause(s, job, now=fleet.db.now(s)))
    busy = (ShardState.QUEUED, ShardState.RUNNING)
    fleet.until(lambda: not fleet.shards(job, *busy), "nothing runs any more")
    assert fleet.tally(job).pending
    fleet.hurry()
    assert fleet.db.write(lambda s: jobs.resume(s, job))
    assert outcome(fleet, job) == undisturbed
    assert {shard.tries for shard in fleet.shards(job)} == {1}


def test_a_cancelled_job_keeps_what_it_has(
    fleet: Fleet, pictures: Path, model: Path, undisturbed: Outcome
) -> None:
    fleet.start(STANDIN_SECONDS="0.2")
    job = fleet.submit(pictures, model, batch_size=1)
    fleet.until(lambda: fleet.shards(job, ShardState.DONE), "a shard is done")
    assert fleet.db.write(lambda s: jobs.stop(s, job, JobMoves.CANCEL, now=fleet.db.now(s)))
    ended = outcome(fleet, job)
    assert ended.state == "cancelled"
    assert 0 < len(ended.rows) < COUNT
    assert ended.parts.items() <= undisturbed.parts.items()
    assert fleet.tally(job).cancelled == COUNT - len(ended.rows)


def test_an_urgent_job_overtakes(fleet: Fleet, pictures: Path, model: Path) -> None:
    fleet.start(STANDIN_SECONDS="0.1")
    first, second = (
        fleet.submit(pictures, model, shard_items=2, batch_size=1, priority=0) for _ in range(2)
    )
    fleet.until(lambda: fleet.shards(first, ShardState.DONE), "the first job is under way")
    assert fleet.db.write(lambda s: jobs.set_priority(s, second, 9))
    fleet.until_ended(second)
    assert fleet.tally(first).pending > COUNT // 4


def test_a_retry_runs_only_what_is_mended(
    fleet: Fleet, tmp_path: Path, pictures: Path, model: Path
) -> None:
    fleet.start()
    source = tmp_path / "data"
    shutil.copytree(pictures, source)
    (source / "13.png").write_bytes((pictures / "13.png").read_bytes()[:100])
    job = fleet.submit(source, model)
    before = outcome(fleet, job)
    assert before.state == "partial"
    assert before.reasons == {"13.png": "truncated"}

    shutil.copy2(pictures / "13.png", source)
    assert fleet.db.write(lambda s: jobs.reopen(s, job, now=fleet.db.now(s))) == 1
    after = outcome(fleet, job)
    assert after.state == "succeeded"
    assert [shard.attempt for shard in fleet.shards(job)] == [1, 1, 2, 1]
    again = fleet.submit(source, model)
    assert after == outcome(fleet, again)
    assert fleet.job(job).state is JobState.SUCCEEDED
