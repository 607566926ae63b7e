from dataclasses import replace

import pytest
from sqlalchemy import update

from core.kinds import ShardKind
from core.profile import EngineOffer
from core.retry import Failure
from core.sources import parse_source
from core.states import JobState, ShardState
from core.work import Counts, Directive, Hold, ShardResult, WorkUnit
from store import leases
from store.leases import Progress, Refusal
from store.tables import Job
from tests.bench import MODEL, OFFER, OPTIONS, PROFILE, Bench, rows_artefact


def test_a_claim_gives_everything_that_the_run_depends_on(bench: Bench) -> None:
    bench.job("a", [3, 2])
    bench.run("a")
    bench.clock.now = 1500.0
    [hold] = bench.queue("a")
    assert bench.claim(hold, "w1") == WorkUnit(
        hold=hold,
        job="a",
        part="000001",
        kind=ShardKind.INFER,
        task="detect",
        sources={"": parse_source("/nowhere/")},
        output=str(bench.root / "a"),
        items_key="items/part-00000-1.parquet",
        start=3,
        stop=5,
        model=MODEL,
        options=OPTIONS,
        frozen_profile=PROFILE,
        suspect=False,
        deaths={},
        previous_part=None,
        listed=5,
    )
    shard = bench.read_shard(hold.shard)
    assert (shard.worker_id, shard.lease_until, shard.tries) == ("w1", 1530.0, 1)
    assert bench.read_job("a").started_at == 1000.0


def test_a_shard_has_one_holder(bench: Bench) -> None:
    bench.job("a", [1])
    [hold] = bench.queue("a")
    first = bench.claim(hold, "w1")
    assert bench.claim(hold, "w2") is Refusal.STALE
    assert bench.claim(hold, "w1") == first
    assert bench.read_shard(hold.shard).tries == 1


@pytest.mark.parametrize("state", [JobState.PAUSED, JobState.CANCELLING, JobState.PARTIAL])
def test_a_shard_of_a_job_that_does_not_run_is_not_claimed(bench: Bench, state: JobState) -> None:
    bench.job("a", [1])
    [hold] = bench.queue("a")
    bench.db.write(lambda s: s.execute(update(Job).values(state=state)))
    assert bench.claim(hold) is Refusal.STALE


def test_unknown_and_overtaken_claims_are_refused(bench: Bench) -> None:
    bench.job("a", [1])
    [hold] = bench.queue("a")
    assert bench.claim(Hold(999, 1)) is Refusal.STALE
    assert bench.claim(replace(hold, attempt=hold.attempt - 1)) is Refusal.STALE
    assert bench.claim(replace(hold, attempt=hold.attempt + 1)) is Refusal.STALE


def test_a_worker_without_the_profile_gives_the_shard_back_for_another(bench: Bench) -> None:
    bench.job("a", [1])
    [hold] = bench.queue("a")
    other = EngineOffer("null", "2", "cpu-test", "fp32")

    def claim(*offers: EngineOffer) -> WorkUnit | Refusal:
        return bench.claim(hold, offers=offers)

    assert claim(other) is Refusal.UNSUITED
    assert bench.states("a") == ["pending"]
    assert bench.read_shard(hold.shard).tries == 0
    assert bench.queue("a") == []  # not at once: the same worker would get it again
    assert claim(OFFER) is Refusal.STALE
    bench.clock.now += 1.0
    assert len(bench.queue("a")) == 1


def renew(bench: Bench, hold: Hold, *, done: int = 0, moved: bool = True) -> Directive:
    return bench.db.write(
        lambda s: leases.renew(
            s, {hold: Progress(done, moved)}, now=bench.clock.now, lease_seconds=30
        )
    )[hold]


def test_only_progress_renews_a_lease(bench: Bench) -> None:
    bench.job("a", [4])
    hold = bench.run("a")
    bench.clock.now += 10
    assert renew(bench, hold, moved=False) is Directive.GO_ON
    assert bench.read_shard(hold.shard).lease_until == 1030.0
    assert renew(bench, hold, done=3) is Directive.GO_ON
    shard = bench.read_shard(hold.shard)
    assert (shard.lease_until, shard.progress) == (1040.0, 3)
    bench.clock.now += 100  # past its end, but nobody has taken it away
    assert renew(bench, hold, done=4) is Directive.GO_ON
    assert bench.read_shard(hold.shard).lease_until == 1140.0


def test_stale_holds_change_nothing(bench: Bench) -> None:
    bench.job("a", [4])
    stale = bench.run("a", "w1")
    bench.fail(stale, Failure.LEASE_LOST)
    bench.clock.now += 1
    fresh = bench.run("a", "w2")
    before = bench.read_shard(fresh.shard)
    assert renew(bench, stale) is Directive.STALE
    assert not bench.commit(stale)
    assert not bench.fail(stale)
    assert not bench.hand_back(stale)
    assert not bench.publish(stale)
    assert not bench.db.write(lambda s: leases.note_trial(s, stale, 0, 1))
    assert not bench.db.write(lambda s: leases.note_deaths(s, stale, {0: 1}))
    bench.db.write(lambda s: leases.cancel(s, stale, now=0.0))
    after = bench.read_shard(fresh.shard)
    columns = before.__table__.columns.keys()
    assert {c: getattr(after, c) for c in columns} == {c: getattr(before, c) for c in columns}
    assert not bench.fail(Hold(999, 1))
    assert renew(bench, Hold(999, 1)) is Directive.STALE


def test_a_commit_may_be_repeated_but_not_by_others(bench: Bench) -> None:
    bench.job("a", [4])
    hold = bench.run("a")
    part = ShardResult((rows_artefact(hold, "x" * 64, 99),), Counts(2, 1, 1), {"decode": 0.5})
    for _ in range(2):
        assert bench.db.write(lambda s: leases.commit(s, hold, part, now=1234.0))
    shard = bench.read_shard(hold.shard)
    assert (shard.part_attempt, shard.part_digest, shard.part_size) == (1, "x" * 64, 99)
    assert (shard.succeeded, shard.skipped, shard.quarantined) == (2, 1, 1)
    assert (shard.timings, shard.finished_at) == ({"decode": 0.5}, 1234.0)
    assert (shard.worker_id, shard.lease_until) == (None, None)
    assert bench.publish(hold)
    assert not bench.publish(hold)
    assert bench.commit(hold)
    assert bench.states("a") == ["done"]


def test_a_hand_back_gives_the_try_back(bench: Bench) -> None:
    bench.job("a", [4])
    hold = bench.run("a")
    assert bench.hand_back(hold)
    assert not bench.hand_back(hold)
    shard = bench.read_shard(hold.shard)
    assert (shard.tries, shard.worker_id, shard.lease_until) == (0, None, None)
    assert bench.run("a").attempt == hold.attempt + 1


def test_a_failed_run_waits_longer_each_time_until_there_are_no_tries_left(bench: Bench) -> None:
    bench.job("a", [4])
    for delay in (1.0, 2.0):
        hold = bench.run("a")
        assert bench.fail(hold, max_tries=3)
        assert bench.read_shard(hold.shard).available_at == bench.clock.now + delay
        assert bench.queue("a") == []
        bench.clock.now += delay
    hold = bench.run("a")
    assert bench.fail(hold, max_tries=3)
    shard = bench.read_shard(hold.shard)
    assert (shard.state, shard.error, shard.quarantined) == ("failed", "it broke", 4)
    assert shard.attempt > hold.attempt


@pytest.mark.parametrize("failure", [Failure.RETRYABLE, Failure.LEASE_LOST, Failure.PROCESS_DIED])
def test_a_death_makes_a_suspect_until_it_has_committed(bench: Bench, failure: Failure) -> None:
    bench.job("a", [4])
    bench.fail(bench.run("a"), failure)
    bench.clock.now += 60
    [hold] = bench.queue("a")
    unit = bench.claim(hold)
    assert isinstance(unit, WorkUnit)
    assert unit.suspect == (failure is Failure.PROCESS_DIED)
    bench.fail(hold, Failure.RETRYABLE)  # another trouble clears nobody
    assert bench.read_shard(hold.shard).suspect == (failure is Failure.PROCESS_DIED)
    bench.clock.now += 60
    bench.commit(bench.run("a"))
    assert not bench.read_shard(hold.shard).suspect


def test_trials_and_deaths_are_kept_for_the_next_run(bench: Bench) -> None:
    bench.job("a", [4])
    hold = bench.run("a")
    assert bench.db.write(lambda s: leases.note_trial(s, hold, 1, 3))
    assert bench.read_shard(hold.shard).trial == {"start": 1, "stop": 3}
    assert bench.db.write(lambda s: leases.note_deaths(s, hold, {2: 1}))
    assert bench.read_shard(hold.shard).trial is None
    bench.fail(hold, Failure.LEASE_LOST)
    bench.clock.now += 60
    [again] = bench.queue("a")
    unit = bench.claim(again)
    assert isinstance(unit, WorkUnit)
    assert unit.deaths == {2: 1}


def test_a_process_that_ends_over_a_picture_takes_no_tries_and_names_it(bench: Bench) -> None:
    bench.job("a", [10, 10])
    guilty, other = bench.run("a"), bench.run("a")
    assert bench.db.write(lambda s: leases.accuse(s, guilty, {7}, now=bench.clock.now))
    assert bench.db.write(lambda s: leases.accuse(s, other, set(), now=bench.clock.now))
    shards = [bench.read_shard(hold.shard) for hold in (guilty, other)]
    assert [shard.state for shard in shards] == [ShardState.PENDING] * 2
    assert [shard.tries for shard in shards] == [0, 0]
    assert [(shard.suspect, shard.deaths) for shard in shards] == [(True, {"7": 1}), (False, {})]
    assert not bench.db.write(lambda s: leases.accuse(s, guilty, {8}, now=bench.clock.now))
