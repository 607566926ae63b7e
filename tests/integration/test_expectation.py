import pytest

from core.states import JobState
from report.fleet import fleet
from scheduler.expectation import Capacity, capacity, note_expected, shards_of
from store import estimates
from store.rates import deviation, note_rate
from store.tables import Estimate, Job
from tests.bench import MODEL, OFFER, Bench


def known(bench: Bench) -> Capacity:
    return bench.db.read(
        lambda s: capacity(s, MODEL.digest, "detect", now=bench.clock.now, within=60.0)
    )


def measured(bench: Bench, rate: float) -> None:
    bench.db.write(lambda s: note_rate(s, MODEL.digest, OFFER.key, rate, now=0.0))


def test_what_nobody_measured_is_not_guessed(bench: Bench) -> None:
    assert known(bench) == Capacity((), 0, 0)
    bench.worker("one")
    assert known(bench) == Capacity((), 1, 1)
    assert known(bench).seconds(100, 10) is None


def test_slots_work_side_by_side_as_far_as_there_are_shards(bench: Bench) -> None:
    measured(bench, 5.0)
    bench.worker("one", slots=2)
    bench.worker("two", slots=1)
    bench.worker("other queue", queues=("ocr",))
    bench.worker("leaving", draining=True)
    up = known(bench)
    assert up == Capacity((5.0, 5.0, 5.0), 2, 0)
    assert up.seconds(150, 10) == pytest.approx(10.0)
    assert up.seconds(150, 1) == pytest.approx(30.0)
    assert shards_of(0, 32) == 0
    assert shards_of(33, 32) == 2


def test_an_estimate_is_kept_as_it_was_first_made_and_compared_with_what_came(
    bench: Bench,
) -> None:
    measured(bench, 5.0)
    bench.worker("one", slots=2)
    for job, took in {"a": 12.0, "b": 30.0, "c": 99.0}.items():
        state = JobState.CANCELLED if job == "c" else JobState.SUCCEEDED
        times = {"started_at": 1000.0, "finished_at": 1000.0 + took}
        bench.job(job, [50, 50], state=state, **times)
        bench.db.write(lambda s, job=job: note_expected(s, job, now=bench.clock.now))
    measured(bench, 500.0)
    bench.db.write(lambda s: note_expected(s, "a", now=bench.clock.now))
    assert bench.db.read(lambda s: s.get_one(Estimate, "a")).seconds == pytest.approx(10.0)
    record = bench.db.read(lambda s: estimates.record_of(s, MODEL.digest))
    assert record is not None
    assert (record.estimates, record.typical, record.worst) == pytest.approx((2, 1.1, 2.0))
    assert bench.db.read(lambda s: estimates.record_of(s, "e" * 64)) is None


def test_the_less_shards_vary_the_surer_the_end_is(bench: Bench) -> None:
    def off(job: str, *seconds: float, left: int = 100) -> float | None:
        bench.job(job, [10] * len(seconds))
        for taken in seconds:
            hold = bench.run(job)
            bench.clock.now += taken
            bench.commit(hold)
        return bench.db.read(lambda s: deviation(s, job, left))

    assert off("a", 10.0, 12.0) is None
    assert off("b", 10.0, 10.0, 10.0) == pytest.approx(0.0)
    # 1.28 standard deviations of a tenth each, of the mean of three and of the ten to come.
    assert off("c", 9.0, 10.0, 11.0) == pytest.approx(1.28 * 0.1 * (1 / 3 + 1 / 10) ** 0.5)
    assert off("d", 9.0, 10.0, 11.0, left=0) is None


def test_queues_and_workers_are_seen_at_work(bench: Bench) -> None:
    bench.worker("w", slots=2)
    bench.worker("idle", host="other", queues=("ocr",))
    bench.job("a", [4, 4, 4])
    bench.run("a")
    bench.job("gone", [4], state=JobState.CANCELLED)
    bench.clock.now += 2.0
    seen = bench.db.read(lambda s: fleet(s, now=bench.clock.now, within=60.0))
    assert seen["queues"] == [
        {"queue": "detect", "waiting": 2, "queued": 0, "running": 1, "workers": 1}
    ]
    at_work, idle = sorted(seen["workers"], key=lambda one: one["worker"])
    assert (at_work["slots"], at_work["shards"], at_work["rate"]) == (2, 1, 0.0)
    assert (idle["worker"], idle["shards"], idle["rate"]) == ("other:1", 0, None)
    assert bench.db.read(lambda s: s.get_one(Job, "a")).state is JobState.RUNNING
