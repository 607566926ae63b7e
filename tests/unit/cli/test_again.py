import time
from dataclasses import replace

import pytest

from core.states import JobMoves, JobState
from store.jobs import move_job
from tests.bench import OFFER, PROFILE, Bench
from tests.unit.cli.conftest import Regatta

NEWER = replace(OFFER, numerics=2)
KEY, NEWER_KEY = "null/1/cpu-test/fp32", "null/1+r2/cpu-test/fp32"
STRANDED = f"no live worker offers {KEY}, to which this job was frozen (workers offer {NEWER_KEY})"
KEEP = "parts made before keep their numbers"


@pytest.fixture
def partial(bench: Bench) -> str:
    """A job that left an item quarantined."""
    bench.clock.now = time.time()
    bench.job("abc", [2, 2])
    for bad in (0, 1):
        hold = bench.run("abc")
        bench.commit(hold, quarantined=bad)
        bench.publish(hold)
    bench.db.write(lambda s: move_job(s, "abc", JobMoves.END_PARTIAL))
    return "abc"


@pytest.mark.parametrize("words", [["retry"], ["quarantine", "retry"]])
def test_a_retry_that_no_worker_can_take_says_so_and_how_to_go_on(
    bench: Bench, regatta: Regatta, partial: str, words: list[str]
) -> None:
    bench.worker(offers=(NEWER,))
    result = regatta(*words, partial)
    assert result.exit_code == 0, result.stderr
    assert "job abc runs again: 1 shard\n" in result.stderr
    assert STRANDED in result.stderr
    assert "`regatta retry abc --reprofile`" in result.stderr
    job = bench.read_job("abc")
    assert (job.state, job.profile) == (JobState.RUNNING, PROFILE.to_json())


def test_a_retry_says_nothing_of_profiles_that_are_offered_or_not_known(
    bench: Bench, regatta: Regatta, partial: str
) -> None:
    bench.worker("other", queues=("media",), offers=(NEWER,))
    assert "offers" not in regatta("retry", partial).stderr
    bench.db.write(lambda s: move_job(s, "abc", JobMoves.END_PARTIAL))
    bench.worker("new", offers=(NEWER,))
    bench.worker("old")
    assert "offers" not in regatta("retry", partial).stderr


def test_an_ended_job_goes_on_with_what_workers_offer_now(
    bench: Bench, regatta: Regatta, partial: str
) -> None:
    bench.worker(offers=(NEWER,))
    result = regatta("retry", partial, "--reprofile")
    assert result.exit_code == 0, result.stderr
    assert "job abc runs again: 1 shard\n" in result.stderr
    assert f"what is left of job abc moves from {KEY} to {NEWER_KEY}\n" in result.stderr
    assert KEEP in result.stderr
    assert "no live worker offers" not in result.stderr
    job = bench.read_job("abc")
    assert (job.state, job.generation) == (JobState.RUNNING, 1)
    assert (job.profile, job.past_profiles) == (None, [PROFILE.to_json()])
    assert bench.states("abc") == ["done", "pending"]


@pytest.mark.parametrize("state", [JobState.RUNNING, JobState.PLANNING, JobState.PAUSED])
def test_a_job_that_waits_for_workers_that_are_gone_is_moved(
    bench: Bench, regatta: Regatta, state: JobState
) -> None:
    bench.job("abc", [1, 1], state=state)
    if state is JobState.RUNNING:
        bench.run("abc")
        bench.queue("abc")
    result = regatta("retry", "abc", "--reprofile")
    assert result.exit_code == 0, result.stderr
    assert f"moves from {KEY} to what workers offer next\n" in result.stderr
    assert "runs again" not in result.stderr
    assert ("1 shard under way may finish" in result.stderr) is (state is JobState.RUNNING)
    assert ("regatta resume abc" in result.stderr) is (state is JobState.PAUSED)
    job = bench.read_job("abc")
    assert (job.state, job.profile, job.past_profiles) == (state, None, [PROFILE.to_json()])
    again = regatta("retry", "abc", "--reprofile")
    assert "is frozen to nothing yet: it gets what workers offer next" in again.stderr
    assert bench.read_job("abc").past_profiles == [PROFILE.to_json()]


def test_the_same_offer_changes_no_numbers(bench: Bench, regatta: Regatta) -> None:
    bench.clock.now = time.time()
    bench.job("abc", [1])
    bench.worker()
    result = regatta("retry", "abc", "--reprofile")
    assert f"moves from {KEY} to {KEY}\n" in result.stderr
    assert KEEP not in result.stderr


@pytest.mark.parametrize(
    ("state", "expected"),
    [
        (JobState.SUCCEEDED, "left nothing to retry"),
        (JobState.CANCELLING, "nothing of job abc can be moved: it is cancelling"),
        (JobState.FAILING, "nothing of job abc can be moved: it is failing"),
    ],
)
def test_what_cannot_be_moved_is_left_as_it_is(
    bench: Bench, regatta: Regatta, state: JobState, expected: str
) -> None:
    bench.job("abc", [1], state=state)
    result = regatta("retry", "abc", "--reprofile")
    assert result.exit_code == 2
    assert expected in result.stderr
    job = bench.read_job("abc")
    assert (job.state, job.profile) == (state, PROFILE.to_json())


def test_a_job_whose_item_lists_are_gone_is_not_run_again(
    bench: Bench, regatta: Regatta, partial: str
) -> None:
    bench.output(partial).delete("items/part-00000-1.parquet")
    result = regatta("retry", partial)
    assert result.exit_code != 0
    assert "its item lists are gone from" in result.stderr
    assert f"regatta run --like {partial}" in result.stderr
    assert bench.read_job(partial).state is JobState.PARTIAL
