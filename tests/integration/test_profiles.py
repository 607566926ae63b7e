import itertools
from dataclasses import replace

import pytest

from core.batching import NetworkTraits, Shapes
from core.options import SEVERAL, ModelRef
from core.profile import EngineOffer, ExecutionProfile, NetworkProfile, Offered, best_offer
from core.states import JobState
from core.work import WorkUnit
from scheduler.profiles import Profiler
from store.leases import Refusal
from tests.bench import MODEL, OFFER, OPTIONS, PROFILE, Bench

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


def test_a_sample_is_not_begun_before_everything_is_listed(bench: Bench) -> None:
    options = OPTIONS.but(sample=5).to_json()
    bench.worker("w")
    bench.job("a", state=JobState.PLANNING, profile=None, options=options)
    assert profiler(bench).tick() == 0
    bench.job("b", state=JobState.RUNNING, profile=None, options=options)
    assert profiler(bench).tick() == 1
    assert bench.read_job("a").profile is None
    assert bench.read_job("b").profile is not None


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
    all_four = [OFFER, GPU, OTHER_CPU, EngineOffer("null", "1", "gpu-test", "fp16")]
    offers = [Offered(one) for one in all_four]
    assert {best_offer(order) for order in itertools.permutations(offers)} == {offers[3]}
    assert best_offer([Offered(OTHER_CPU), Offered(OFFER)]) == Offered(OFFER)
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


def test_the_rank_of_an_offer_decides(bench: Bench) -> None:
    bench.job("a", profile=None)
    bench.worker("w", offers=(Offered(OFFER, rank=1.0), Offered(OTHER_CPU, rank=2.0)))
    assert profiler(bench).tick() == 1
    profile = bench.read_job("a").profile
    assert profile == PROFILE.to_json() | {"device": "cpu-zzz", "batch_size": 8}


SHARED = NetworkTraits(Shapes.SHARED)


def test_a_device_states_the_batch_of_networks_whose_shapes_do_not_vary(bench: Bench) -> None:
    bench.job("a", profile=None, networks={MODEL.digest: SHARED.to_json()})
    bench.job("b", profile=None, networks={MODEL.digest: NetworkTraits(Shapes.OWN).to_json()})
    bench.worker("w", offers=(Offered(GPU, batch=32),))
    assert profiler(bench).tick() == 2
    sizes = {job: frozen(bench, job).networks[MODEL.digest].batch_size for job in "ab"}
    assert sizes == {"a": 32, "b": 1}


def frozen(bench: Bench, job_id: str) -> ExecutionProfile:
    profile = bench.read_job(job_id).profile
    assert profile is not None
    return ExecutionProfile.from_json(profile)


FIRST, SECOND = (ModelRef(name, "detect", name * 64, f"file:///{name}") for name in "ef")
BOTH = ModelRef.composed("both", SEVERAL, {"e": FIRST, "f": SECOND})
EARLY = Offered(OFFER, measured={FIRST.digest: 2.0})
LATE = Offered(OTHER_CPU, measured={SECOND.digest: 2.0})


def two_engines(bench: Bench) -> None:
    """A job each of whose networks is faster on another offer, and a worker that makes both."""
    networks = {one.digest: SHARED.to_json() for one in (FIRST, SECOND)}
    bench.job("a", [1, 1], profile=None, model=BOTH.to_json(), networks=networks)
    bench.worker("both", offers=(EARLY, LATE))
    assert profiler(bench).tick() == 1


def test_each_network_gets_the_offer_that_is_best_for_it(bench: Bench) -> None:
    two_engines(bench)
    assert frozen(bench, "a").networks == {
        FIRST.digest: NetworkProfile(OFFER, 8),
        SECOND.digest: NetworkProfile(OTHER_CPU, 8),
    }


@pytest.mark.parametrize("offers", [[OFFER], [OTHER_CPU], []])
def test_a_worker_of_one_of_two_engines_refuses_the_job(
    bench: Bench, offers: list[EngineOffer]
) -> None:
    two_engines(bench)
    [hold] = bench.queue("a")
    assert bench.claim(hold, offers=offers) is Refusal.UNSUITED
    assert bench.states("a") == ["pending", "pending"]
    bench.clock.now += 2
    again, _ = bench.queue("a", 2)
    unit = bench.claim(again, offers=[OTHER_CPU, OFFER])
    assert isinstance(unit, WorkUnit)
    assert unit.profile == frozen(bench, "a")
