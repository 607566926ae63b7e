import pytest

from core.states import JobState
from store import leases
from store.leases import Progress
from store.rates import pace
from tests.bench import Bench


def measure(bench: Bench, **started: float) -> dict[str, float]:
    return bench.db.read(lambda s: pace(s, started, now=bench.clock.now, window=60))


def test_a_job_that_has_done_nothing_stands_still(bench: Bench) -> None:
    bench.job("a", [5])
    assert measure(bench, a=900.0) == {"a": 0.0}
    assert measure(bench) == {}


def test_what_was_finished_lately_counts_over_the_window(bench: Bench) -> None:
    bench.job("a", [120, 30])
    hold = bench.run("a")
    bench.clock.now += 30
    bench.commit(hold)
    assert measure(bench, a=0.0) == {"a": pytest.approx(120 / 60)}
    assert measure(bench, a=1000.0) == {"a": pytest.approx(120 / 30)}
    bench.clock.now += 60.1
    assert measure(bench, a=0.0) == {"a": 0.0}


def test_of_a_long_shard_only_the_part_within_the_window_counts(bench: Bench) -> None:
    bench.job("a", [400])
    hold = bench.run("a")
    bench.clock.now += 240
    steps = {hold: Progress(200, moved=True)}
    bench.db.write(lambda s: leases.renew(s, steps, now=bench.clock.now, lease_seconds=30))
    assert measure(bench, a=1000.0) == {"a": pytest.approx(200 / 240)}


def test_jobs_are_kept_apart_and_a_start_just_now_is_no_division_by_zero(bench: Bench) -> None:
    for job in ("a", "b", "c"):
        bench.job(job, [4], state=JobState.RUNNING)
    bench.commit(bench.run("a"))
    bench.commit(bench.run("c"))
    assert measure(bench, a=1000.0, b=1000.0) == {"a": 4.0, "b": 0.0}
