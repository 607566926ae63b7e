from collections.abc import Sequence

import pytest

from core.errors import UsageError
from core.retry import Failure
from core.states import JobMoves, JobState, Move
from core.work import Directive, Hold
from store import jobs, leases
from store.leases import Progress, Refusal
from store.tables import Job
from tests.bench import Bench


def find(bench: Bench, ref: str) -> str:
    return bench.db.read(lambda s: jobs.find_job(s, ref)).id


def test_a_job_is_found_by_what_tells_it_apart(bench: Bench) -> None:
    for number, job in enumerate(["abc1", "abd2", "x%y", "x_y"]):
        bench.job(job, created_at=float(number))
    assert find(bench, "abc") == "abc1"
    assert find(bench, "ABD2") == "abd2"
    assert find(bench, "x%") == "x%y"
    assert find(bench, "x_") == "x_y"
    assert find(bench, "latest") == "x_y"


@pytest.mark.parametrize(
    ("ref", "message"), [("ab", "may be any of abc1, abd2"), ("z", "no job"), ("", "no job")]
)
def test_a_job_that_is_not_found(bench: Bench, ref: str, message: str) -> None:
    bench.job("abc1")
    bench.job("abd2")
    with pytest.raises(UsageError, match=message):
        find(bench, ref)


def test_nothing_names_the_only_job(bench: Bench) -> None:
    bench.job("abc1")
    with pytest.raises(UsageError, match="no job"):
        find(bench, "")


def test_there_is_no_latest_job_yet(bench: Bench) -> None:
    with pytest.raises(UsageError, match="no jobs yet"):
        find(bench, "latest")


def test_jobs_are_listed_newest_first(bench: Bench) -> None:
    bench.job("old", created_at=1.0)
    bench.job("new", created_at=2.0, state=JobState.PAUSED)
    bench.job("mid", created_at=1.5)

    def listed(states: Sequence[JobState] = (), limit: int | None = None) -> list[str]:
        return [
            j.id for j in bench.db.read(lambda s: jobs.list_jobs(s, states=states, limit=limit))
        ]

    assert listed() == ["new", "mid", "old"]
    assert listed(limit=2) == ["new", "mid"]
    assert listed([JobState.RUNNING]) == ["mid", "old"]


@pytest.mark.parametrize(
    "move", [m for m in vars(JobMoves).values() if isinstance(m, Move)], ids=lambda m: m.name
)
def test_jobs_move_along_the_table_only(bench: Bench, move: Move[JobState]) -> None:
    for state in JobState:
        bench.job(state, state=state)
        moved = bench.db.write(lambda s, job=state: jobs.move_job(s, job, move))
        assert moved == (state in move.sources)
        assert bench.read_job(state).state is (move.target if moved else state)


def pause(bench: Bench, job: str = "a") -> bool:
    return bench.db.write(lambda s: jobs.pause(s, job, now=bench.clock.now))


def resume(bench: Bench, job: str = "a") -> bool:
    return bench.db.write(lambda s: jobs.resume(s, job))


def stop(bench: Bench, move: Move[JobState] = JobMoves.CANCEL, error: str | None = None) -> bool:
    return bench.db.write(lambda s: jobs.stop(s, "a", move, now=bench.clock.now, error=error))


def reopen(bench: Bench) -> int | None:
    return bench.db.write(lambda s: jobs.reopen(s, "a", now=bench.clock.now))


def finish(bench: Bench, state: JobState) -> None:
    def work(job: Job) -> None:
        job.state = state

    bench.db.write(lambda s: work(s.get_one(Job, "a")))


def directive(bench: Bench, hold: Hold) -> Directive:
    return bench.db.write(
        lambda s: leases.renew(s, {hold: Progress(0, moved=True)}, now=1.0, lease_seconds=30)
    )[hold]


def test_a_paused_job_takes_its_messages_back(bench: Bench) -> None:
    bench.job("a", [1, 1, 1])
    running = bench.run("a")
    [queued] = bench.queue("a")
    assert pause(bench)
    assert not pause(bench)
    assert bench.states("a") == ["running", "pending", "pending"]
    assert bench.claim(queued) is Refusal.STALE
    assert bench.queue("a", 5) == []
    assert directive(bench, running) is Directive.HAND_BACK
    assert resume(bench)
    assert not resume(bench)
    assert bench.read_job("a").state is JobState.RUNNING
    [again] = bench.queue("a")
    assert again.shard == queued.shard
    assert again.attempt > queued.attempt
    assert bench.claim(queued) is Refusal.STALE


def test_a_job_resumes_planning_at_once_whoever_planned_it(bench: Bench) -> None:
    bench.job("a", state=JobState.PLANNING, plan_lease_until=bench.clock.now + 30, plan_owner="p")
    assert pause(bench)
    assert resume(bench)
    job = bench.read_job("a")
    assert (job.state, job.plan_lease_until, job.plan_owner) == (JobState.PLANNING, None, None)


def test_a_cancelled_job_lets_go_of_what_did_not_start(bench: Bench) -> None:
    bench.job("a", [2, 3, 4])
    running = bench.run("a")
    [queued] = bench.queue("a")
    assert stop(bench)
    assert not stop(bench)
    assert bench.states("a") == ["running", "cancelled", "cancelled"]
    assert bench.claim(queued) is Refusal.STALE
    assert directive(bench, running) is Directive.CANCEL
    bench.db.write(lambda s: leases.cancel(s, running, now=1.0))
    assert bench.states("a") == ["cancelled"] * 3
    tally = bench.tally("a")
    assert (tally.cancelled, tally.pending) == (9, 0)


def test_a_shard_may_commit_while_its_job_is_cancelled(bench: Bench) -> None:
    bench.job("a", [2, 3])
    hold = bench.run("a")
    stop(bench)
    assert bench.commit(hold)
    bench.db.write(lambda s: leases.cancel(s, hold, now=1.0))
    assert bench.states("a") == ["committed", "cancelled"]
    tally = bench.tally("a")
    assert (tally.succeeded, tally.cancelled, tally.pending) == (2, 3, 0)


def test_a_fatal_error_is_kept_even_if_it_is_no_unicode(bench: Bench) -> None:
    bench.job("a", [2])
    assert stop(bench, JobMoves.FAIL, error="bad \udcff\0 name")
    job = bench.read_job("a")
    assert (job.state, job.error) == (JobState.FAILING, "bad \\udcff\\0 name")


def test_a_retry_runs_again_what_did_not_succeed(bench: Bench) -> None:
    bench.job("a", [4, 4, 4, 4])
    good, bad, failed = bench.run("a"), bench.run("a"), bench.run("a")
    for hold, quarantined in ((good, 0), (bad, 1)):
        bench.commit(hold, quarantined=quarantined)
        bench.publish(hold)
    bench.fail(failed, max_tries=1)
    stop(bench)
    assert reopen(bench) is None
    finish(bench, JobState.CANCELLED)
    assert bench.tally("a").cancelled == 4
    assert reopen(bench) == 3
    assert bench.states("a") == ["done", "pending", "pending", "pending"]
    job = bench.read_job("a")
    assert (job.state, job.generation, job.error) == (JobState.RUNNING, 1, None)
    tally = bench.tally("a")
    assert (tally.succeeded, tally.quarantined, tally.pending) == (7, 0, 9)
    [again] = bench.queue("a")
    unit = bench.claim(again)
    assert not isinstance(unit, Refusal)
    assert (again.shard, unit.previous_part) == (bad.shard, "results/part-000001.parquet")
    assert again.attempt > bad.attempt


def test_a_cancelled_retry_leaves_the_result_before_it(bench: Bench) -> None:
    bench.job("a", [4])
    hold = bench.run("a")
    bench.commit(hold, quarantined=1)
    bench.publish(hold)
    finish(bench, JobState.PARTIAL)
    reopen(bench)
    again = bench.run("a")
    stop(bench)
    bench.db.write(lambda s: leases.cancel(s, again, now=1.0))
    assert bench.states("a") == ["done"]
    tally = bench.tally("a")
    assert (tally.succeeded, tally.quarantined, tally.cancelled) == (3, 1, 0)


def test_a_job_that_failed_in_planning_is_planned_again(bench: Bench) -> None:
    bench.job("a", [1], state=JobState.PLANNING, plan_lease_until=bench.clock.now + 30)
    stop(bench, JobMoves.FAIL, error="no listing")
    finish(bench, JobState.FAILED)
    assert reopen(bench) == 1
    job = bench.read_job("a")
    assert (job.state, job.plan_lease_until) == (JobState.PLANNING, None)


def test_a_job_that_succeeded_has_nothing_to_retry(bench: Bench) -> None:
    bench.job("a", [1], state=JobState.SUCCEEDED)
    assert reopen(bench) is None
    assert bench.read_job("a").generation == 0


def test_a_job_has_a_priority_until_its_end(bench: Bench) -> None:
    bench.job("a", state=JobState.PAUSED)
    bench.job("b", state=JobState.FAILED)

    def set_priority(job: str) -> bool:
        return bench.db.write(lambda s: jobs.set_priority(s, job, 7))

    assert [set_priority(job) for job in ("a", "b", "c")] == [True, False, False]
    assert (bench.read_job("a").priority, bench.read_job("b").priority) == (7, 0)


def test_items_in_progress_are_those_of_running_shards(bench: Bench) -> None:
    bench.job("a", [4, 4])
    hold, other = bench.run("a"), bench.run("a")
    steps = {hold: Progress(3, moved=True), other: Progress(2, moved=True)}
    bench.db.write(lambda s: leases.renew(s, steps, now=1.0, lease_seconds=30))
    assert bench.tally("a").in_progress == 5
    bench.fail(other, Failure.RETRYABLE)
    assert bench.tally("a").in_progress == 3


def test_tallies_of_several_jobs_are_kept_apart(bench: Bench) -> None:
    bench.job("a", [1, 2])
    bench.job("b", [4])
    bench.job("c")
    tallies = bench.db.read(lambda s: jobs.tally(s, jobs.list_jobs(s)))
    assert {job: (t.listed, t.pending) for job, t in tallies.items()} == {
        "a": (3, 3),
        "b": (4, 4),
        "c": (0, 0),
    }
