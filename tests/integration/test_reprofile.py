"""Jobs that are moved from one execution profile to another, and the ways that they freeze."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest

from core.profile import EngineOffer, ExecutionProfile
from core.retry import Failure
from core.states import JobMoves, JobState
from core.ways import Way
from core.work import Hold, WorkUnit
from store import jobs, queueing, settling
from store.leases import Refusal
from store.profiles import freeze_way, part_profiles, present_number, profiles_of
from tests.bench import OFFER, PROFILE, Bench

NEW_OFFER = replace(OFFER, numerics=2)
NEW = replace(PROFILE, numerics=2)


def claim(bench: Bench, hold: Hold, offer: EngineOffer = NEW_OFFER) -> WorkUnit | Refusal:
    return bench.claim(hold, offers=[offer])


def run_new(bench: Bench, job: str = "a") -> WorkUnit:
    [hold] = bench.queue(job)
    unit = claim(bench, hold)
    assert isinstance(unit, WorkUnit)
    return unit


def made(bench: Bench, shard: int) -> dict[int, int]:
    return part_profiles(bench.read_shard(shard))


def end(bench: Bench) -> None:
    [job] = bench.db.read(settling.at_their_end)
    assert bench.db.write(lambda s: settling.end(s, job, JobMoves.END_PARTIAL, now=1.0))


def test_what_is_left_of_a_job_is_frozen_anew(bench: Bench) -> None:
    bench.job("a", [2, 2, 2])
    first = bench.run("a")
    [queued] = bench.queue("a")
    assert bench.leave_profile("a")
    assert bench.states("a") == ["running", "pending", "pending"]
    assert bench.claim(queued) is Refusal.STALE
    assert bench.queue("a", 3) == []  # nobody knows yet who may run it
    job = bench.read_job("a")
    assert (job.profile, job.past_profiles) == (None, [PROFILE.to_json()])
    assert bench.freeze("a", NEW)
    job = bench.read_job("a")
    assert profiles_of(job) == [PROFILE.to_json(), NEW.to_json()]
    assert present_number(job) == 1

    unit = run_new(bench)
    assert (unit.profile, unit.profile_number) == (NEW, 1)
    assert bench.commit(first)  # under what it began with
    assert bench.commit(unit.hold)
    assert (made(bench, first.shard), made(bench, unit.hold.shard)) == ({0: 2}, {1: 2})


def test_a_worker_asked_twice_for_a_shard_runs_it_under_the_profile_it_was_claimed_under(
    bench: Bench,
) -> None:
    bench.job("a", [1, 1])
    [hold] = bench.queue("a")
    first = bench.claim(hold)
    assert bench.leave_profile("a")
    assert bench.claim(hold) == first
    bench.freeze("a", NEW)
    assert bench.claim(hold) == first


def test_a_shard_that_comes_back_runs_under_the_new_profile(bench: Bench) -> None:
    bench.job("a", [2])
    hold = bench.run("a")
    bench.leave_profile("a")
    bench.freeze("a", NEW)
    assert bench.hand_back(hold)
    unit = run_new(bench)
    assert (unit.profile_number, unit.profile) == (1, NEW)


def test_the_old_workers_are_not_given_what_was_moved(bench: Bench) -> None:
    bench.job("a", [2])
    bench.leave_profile("a")
    bench.freeze("a", NEW)
    [hold] = bench.queue("a")
    assert bench.claim(hold) is Refusal.UNSUITED
    assert bench.states("a") == ["pending"]


def test_rows_that_stand_from_before_keep_their_profile(bench: Bench) -> None:
    bench.job("a", [4])
    hold = bench.run("a")
    assert bench.commit(hold, quarantined=2)
    assert bench.publish(hold)
    end(bench)
    assert made(bench, hold.shard) == {0: 2}
    for number, (quarantined, profiles) in enumerate(
        [(2, {0: 2, 1: 0}), (1, {0: 2, 2: 1}), (0, {0: 2, 2: 1, 3: 1})], start=1
    ):
        assert bench.db.write(lambda s: jobs.reopen(s, "a", now=1.0)) == 1
        assert bench.leave_profile("a")
        assert bench.freeze("a", NEW)
        unit = run_new(bench)
        assert unit.profile_number == number
        assert bench.commit(unit.hold, quarantined=quarantined)
        assert made(bench, hold.shard) == profiles
        bench.publish(unit.hold)
        if quarantined:
            end(bench)


def test_a_part_whose_items_had_all_failed_is_the_new_profiles_alone(bench: Bench) -> None:
    bench.job("a", [2])
    hold = bench.run("a")
    bench.commit(hold, quarantined=2)
    bench.publish(hold)
    end(bench)
    bench.db.write(lambda s: jobs.reopen(s, "a", now=1.0))
    bench.leave_profile("a")
    bench.freeze("a", NEW)
    bench.commit(run_new(bench).hold)
    assert made(bench, hold.shard) == {1: 2}


def test_a_part_from_before_jobs_could_be_moved_is_the_first_profiles(bench: Bench) -> None:
    bench.job("a")
    shard = bench.shard("a", seq=0, stop=3, part_attempt=1, succeeded=1, skipped=1)
    assert made(bench, shard) == {0: 2}
    assert made(bench, bench.shard("a", seq=1)) == {}


def test_a_tombstone_names_the_profile_that_was_tried_last(bench: Bench) -> None:
    bench.job("a", [3])
    hold = bench.run("a")
    bench.commit(hold, quarantined=1)
    bench.publish(hold)
    end(bench)
    bench.db.write(lambda s: jobs.reopen(s, "a", now=1.0))
    bench.leave_profile("a")
    bench.freeze("a", NEW)
    assert bench.fail(run_new(bench).hold, Failure.RETRYABLE, max_tries=1)
    [shard] = bench.db.read(settling.without_tombstone)
    grave = Hold(shard.id, shard.attempt)
    assert bench.db.write(lambda s: settling.bury(s, grave, digest="t", size=1))
    assert made(bench, shard.id) == {0: 2, 1: 0}
    assert not bench.db.write(lambda s: settling.bury(s, grave, digest="t", size=1))


@pytest.mark.parametrize("state", [JobState.PLANNING, JobState.PAUSED])
def test_planned_and_paused_jobs_can_be_moved(bench: Bench, state: JobState) -> None:
    bench.job("a", [1], state=state)
    assert bench.leave_profile("a")
    assert bench.read_job("a").state is state
    assert bench.leave_profile("a")  # it has none, and loses none
    assert bench.read_job("a").past_profiles == [PROFILE.to_json()]


@pytest.mark.parametrize(
    "state", [JobState.CANCELLING, JobState.FAILING, JobState.SUCCEEDED, JobState.PARTIAL]
)
def test_others_keep_their_profile(bench: Bench, state: JobState) -> None:
    bench.job("a", [1], state=state)
    assert not bench.leave_profile("a")
    assert bench.read_job("a").profile == PROFILE.to_json()


def test_a_job_with_nothing_left_to_do_keeps_its_profile(bench: Bench) -> None:
    bench.job("a", [1])
    hold = bench.run("a")
    bench.commit(hold)
    assert not bench.leave_profile("a")
    assert bench.read_job("a").profile == PROFILE.to_json()


def test_a_shard_is_not_queued_for_a_job_that_lost_its_profile(bench: Bench) -> None:
    bench.job("a", [1])
    demand = bench.db.read(lambda s: queueing.demands(s, "detect", now=bench.clock.now))
    assert [d.profile for d in demand] == [PROFILE]
    bench.leave_profile("a")  # after a dispatcher has looked, before it queues
    assert bench.queue("a") == []
    assert bench.db.read(lambda s: queueing.demands(s, "detect", now=bench.clock.now)) == []


def freeze(bench: Bench, way: Way, *, number: int = 0, digest: str = "n1") -> Way | None:
    return bench.db.write(lambda s: freeze_way(s, "a", number, digest, way, "because"))


def test_the_first_way_that_is_frozen_for_a_network_stands(bench: Bench) -> None:
    bench.job("a", [1, 1])
    assert freeze(bench, Way.ONEDNN) is Way.ONEDNN
    assert freeze(bench, Way.PLAIN) is Way.ONEDNN
    assert freeze(bench, Way.PLAIN, digest="n2") is Way.PLAIN
    profile = bench.read_job("a").profile
    assert profile == PROFILE.to_json() | {
        "networks": {
            "n1": {"way": "onednn", "why": "because"},
            "n2": {"way": "plain", "why": "because"},
        }
    }
    [hold] = bench.queue("a")
    unit = bench.claim(hold)
    assert isinstance(unit, WorkUnit)
    assert unit.ways == {"n1": Way.ONEDNN, "n2": Way.PLAIN}
    assert unit.profile == PROFILE


def test_workers_that_freeze_at_once_get_one_way(bench: Bench) -> None:
    bench.job("a", [1])
    ways = [Way.ONEDNN, Way.PLAIN, Way.ONEDNN_UNPLACED, Way.PLAIN]
    with ThreadPoolExecutor(len(ways)) as pool:
        networks = [*pool.map(lambda way: freeze(bench, way), ways)]
        digests = [f"m{number}" for number in range(8)]
        others = [*pool.map(lambda d: freeze(bench, Way.PLAIN, digest=d), digests)]
    assert len(set(networks)) == 1
    assert set(others) == {Way.PLAIN}
    profile = bench.read_job("a").profile
    assert profile is not None
    assert sorted(profile["networks"]) == [*digests, "n1"]  # none overwrote another's


def test_ways_belong_to_a_profile(bench: Bench) -> None:
    bench.job("a", [1, 1])
    freeze(bench, Way.ONEDNN)
    [hold] = bench.queue("a")
    first = bench.claim(hold)
    bench.leave_profile("a")
    assert freeze(bench, Way.PLAIN, digest="n2") is None
    bench.freeze("a", NEW)
    assert freeze(bench, Way.PLAIN, digest="n2") is None
    assert freeze(bench, Way.PLAIN, number=1) is Way.PLAIN
    unit = run_new(bench)
    assert unit.ways == {"n1": Way.PLAIN}
    assert bench.claim(hold) == first
    assert isinstance(first, WorkUnit)
    assert first.ways == {"n1": Way.ONEDNN}


def test_a_profile_in_the_database_is_read_without_its_ways(bench: Bench) -> None:
    bench.job("a", [1])
    freeze(bench, Way.ONEDNN)
    found = bench.read_job("a").profile
    assert found is not None
    assert ExecutionProfile.from_json(found) == PROFILE
