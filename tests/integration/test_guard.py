"""Jobs that quarantine too much are paused, and go on when somebody says so."""

from collections.abc import Callable

import pytest

from core.kinds import ShardKind
from core.states import JobState
from scheduler.guard import Guard
from store import jobs
from tests.bench import OPTIONS, Bench
from tests.integration.test_settle import finish


@pytest.fixture
def guard(bench: Bench) -> Callable[[], int]:
    """Turns of a guard that looks every time."""
    ticks = iter(range(0, 10_000, 10))
    return Guard(bench.db, monotonic=lambda: float(next(ticks))).tick


def plan(bench: Bench, *shards: int, max_quarantined: str | None = None) -> None:
    options = OPTIONS.but(max_quarantined=max_quarantined)
    bench.job("a", shards, options=options.to_json())


def test_a_job_with_more_bad_items_than_it_may_have_is_paused(
    bench: Bench, guard: Callable[[], int]
) -> None:
    plan(bench, 4, 4, max_quarantined="2")
    finish(bench, bench.run("a"), bad=(0, 1, 3))
    assert guard() == 1
    job = bench.read_job("a")
    assert job.state is JobState.PAUSED
    assert job.error == (
        "3 of 4 items (75.0%) were quarantined, most for decode_failed: 0.jpg, for example; "
        "`regatta resume a` goes on, and its --max-quarantined sets another limit"
    )
    assert guard() == 0


def test_a_resumed_job_is_not_paused_again_unless_told(
    bench: Bench, guard: Callable[[], int]
) -> None:
    plan(bench, 4, 4, 4, max_quarantined="2")
    finish(bench, bench.run("a"), bad=(0, 1, 3))
    assert guard() == 1
    assert bench.db.write(lambda s: jobs.resume(s, "a", max_quarantined="5"))
    assert bench.read_job("a").error is None
    assert guard() == 0
    finish(bench, bench.run("a"), bad=(4, 5, 6))
    assert guard() == 1
    assert bench.db.write(lambda s: jobs.resume(s, "a"))
    assert guard() == 0


def test_a_pause_that_somebody_asked_for_leaves_the_limit_as_it_is(
    bench: Bench, guard: Callable[[], int]
) -> None:
    plan(bench, 4, 4, max_quarantined="2")
    assert bench.db.write(lambda s: jobs.pause(s, "a", now=0.0))
    assert bench.db.write(lambda s: jobs.resume(s, "a"))
    finish(bench, bench.run("a"), bad=(0, 1, 3))
    assert guard() == 1


def test_a_job_that_has_nothing_left_to_do_ends(bench: Bench, guard: Callable[[], int]) -> None:
    plan(bench, 4, max_quarantined="0")
    finish(bench, bench.run("a"), bad=(0, 1, 2, 3))
    assert guard() == 0


def test_a_redrawing_is_not_judged_by_the_rows_that_it_draws(
    bench: Bench, guard: Callable[[], int]
) -> None:
    options = OPTIONS.but(max_quarantined="0").to_json()
    bench.job("a", options=options, kind=ShardKind.RENDER, listed=8)
    for seq in (0, 1):
        bench.shard("a", seq=seq, stop=4, kind=ShardKind.RENDER)
    [hold] = bench.queue("a", kind=ShardKind.RENDER)
    bench.claim(hold)
    assert bench.commit(hold, quarantined=4)
    assert bench.tally("a").quarantined == 4
    assert guard() == 0


@pytest.mark.parametrize(("bad", "paused"), [(50, 0), (51, 1)])
def test_without_a_word_a_large_job_may_have_a_twentieth(
    bench: Bench, guard: Callable[[], int], bad: int, paused: int
) -> None:
    plan(bench, 999, 1, 5)
    finish(bench, bench.run("a"), bad=tuple(range(bad)))
    assert guard() == 0
    finish(bench, bench.run("a"))
    assert guard() == paused
