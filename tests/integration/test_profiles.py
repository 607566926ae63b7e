import itertools
from dataclasses import replace

from core.profile import EngineOffer, best_offer
from core.states import JobState
from scheduler.profiles import Profiler
from tests.bench import OFFER, OPTIONS, PROFILE, Bench

GPU = EngineOffer("null", "1", "gpu-test", "fp32")
OTHER_CPU = EngineOffer("null", "1", "cpu-zzz", "fp32")


def profiler(bench: Bench) -> Profiler:
    return Profiler(bench.db, worker_ttl=30)


def test_a_job_gets_the_profile_of_a_live_worker_and_keeps_it(bench: Bench) -> None:
    bench.job("a", profile=None)
    bench.worker("w", offers=(OTHER_CPU,))
    assert profiler(bench).tick() == 1
    bench.worker("better", offers=(GPU,))
    assert profiler(bench).tick() == 0
    profile = bench.read_job("a").profile
    assert profile == PROFILE.to_json() | {"device": "cpu-zzz", "batch_size": 8}


def test_options_decide_over_the_batch_size(bench: Bench) -> None:
    bench.job(
        "a",
        state=JobState.PLANNING,
        profile=None,
        options=OPTIONS.to_json() | {"batch_size": 3, "jpeg_quality": 50},
    )
    bench.worker("w")
    assert profiler(bench).tick() == 1
    profile = bench.read_job("a").profile
    assert profile == PROFILE.to_json() | {"batch_size": 3, "jpeg_quality": 50}


def test_a_job_waits_for_a_worker_of_its_queue(bench: Bench) -> None:
    bench.job("a", profile=None)
    assert profiler(bench).tick() == 0
    bench.worker("other", queues=("media",))
    bench.worker("draining", draining=True)
    bench.worker("without", offers=())
    assert profiler(bench).tick() == 0
    bench.worker("silent")
    bench.clock.now += 30
    assert profiler(bench).tick() == 0
    assert bench.read_job("a").profile is None


def test_the_best_offer_is_a_gpu_and_the_same_for_every_scheduler() -> None:
    offers = [OFFER, GPU, OTHER_CPU, EngineOffer("null", "1", "gpu-test", "fp16")]
    assert {best_offer(order) for order in itertools.permutations(offers)} == {offers[3]}
    assert best_offer([OTHER_CPU, OFFER]) == OFFER
    assert best_offer([]) is None


def test_a_job_that_left_its_profile_gets_the_best_of_now(bench: Bench) -> None:
    bench.job("a", [1])
    bench.worker("old")
    bench.worker("new", offers=(replace(OFFER, numerics=2),))
    assert profiler(bench).tick() == 0
    assert bench.leave_profile("a")
    assert profiler(bench).tick() == 1
    job = bench.read_job("a")
    assert job.profile == replace(PROFILE, numerics=2, batch_size=8).to_json()
    assert job.past_profiles == [PROFILE.to_json()]
