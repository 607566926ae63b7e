import pytest

from core.retry import Failure
from core.states import JobMoves, JobState
from store import settling
from store.jobs import move_job
from tests.bench import Bench
from tests.unit.cli.conftest import Regatta


def test_pause_and_resume(bench: Bench, regatta: Regatta) -> None:
    bench.job("abc", [1, 1, 1])
    bench.run("abc")
    bench.queue("abc")
    result = regatta("pause", "ab")
    assert result.exit_code == 0
    assert "job abc is paused: 1 shard is being handed back" in result.stderr
    assert "regatta resume abc" in result.stderr
    assert bench.states("abc") == ["running", "pending", "pending"]
    assert regatta("resume", "latest").exit_code == 0
    assert bench.read_job("abc").state is JobState.RUNNING


def test_cancel(bench: Bench, regatta: Regatta) -> None:
    bench.job("abc", [1])
    result = regatta("cancel", "abc")
    assert "job abc is being cancelled: nothing of it runs" in result.stderr
    assert bench.read_job("abc").state is JobState.CANCELLING
    assert bench.states("abc") == ["cancelled"]


@pytest.mark.parametrize(
    ("words", "state", "expected"),
    [
        (["pause"], JobState.PAUSED, "cannot pause job abc: it is paused"),
        (["pause"], JobState.FAILED, "cannot pause job abc: it has ended (failed)"),
        (["resume"], JobState.RUNNING, "cannot resume job abc: it is running"),
        (["resume"], JobState.PARTIAL, "`regatta retry abc`"),
        (["cancel"], JobState.SUCCEEDED, "cannot cancel job abc: it has ended (succeeded)"),
        (["retry"], JobState.RUNNING, "has not ended: it is running"),
        (["retry"], JobState.SUCCEEDED, "left nothing to retry"),
        (["quarantine", "retry"], JobState.PAUSED, "has not ended"),
    ],
)
def test_what_does_not_suit_the_state_is_refused(
    bench: Bench, regatta: Regatta, words: list[str], state: JobState, expected: str
) -> None:
    bench.job("abc", [1], state=state)
    result = regatta(*words, "abc")
    assert result.exit_code == 2
    assert expected in result.stderr
    assert bench.read_job("abc").state is state


@pytest.mark.parametrize("words", [["retry"], ["quarantine", "retry"]])
def test_retry_runs_again_what_failed(bench: Bench, regatta: Regatta, words: list[str]) -> None:
    bench.job("abc", [2, 2])
    done = bench.run("abc")
    bench.commit(done)
    bench.publish(done)
    failed = bench.run("abc")
    bench.fail(failed, Failure.RETRYABLE, max_tries=1)
    [shard] = bench.db.read(settling.without_tombstone)
    bench.db.write(
        lambda s: settling.bury(s, type(failed)(shard.id, shard.attempt), digest="t", size=1)
    )
    bench.db.write(lambda s: move_job(s, "abc", JobMoves.END_PARTIAL))
    result = regatta(*words, "abc")
    assert result.exit_code == 0, result.stderr
    assert "job abc runs again: 1 shard\n" in result.stderr
    assert bench.states("abc") == ["done", "pending"]
    assert bench.read_job("abc").generation == 1


def test_priority_changes_while_a_job_runs(bench: Bench, regatta: Regatta) -> None:
    bench.job("abc", [1], priority=5)
    result = regatta("priority", "abc", "9")
    assert "priority 5 is now 9" in result.stderr
    assert bench.read_job("abc").priority == 9


@pytest.mark.parametrize("number", ["10", "-1", "high"])
def test_priorities_are_0_to_9(bench: Bench, regatta: Regatta, number: str) -> None:
    bench.job("abc", [1], priority=5)
    assert regatta("priority", "abc", "--", number).exit_code == 2
    assert bench.read_job("abc").priority == 5


def test_an_ended_job_keeps_its_priority(bench: Bench, regatta: Regatta) -> None:
    bench.job("abc", [1], priority=5, state=JobState.FAILED)
    result = regatta("priority", "abc", "9")
    assert result.exit_code == 2
    assert "has ended: failed" in result.stderr
