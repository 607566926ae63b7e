from typing import Any

from core.kinds import ShardKind
from core.states import JobMoves, JobState
from store import jobs, planning, profiles
from store.planning import NewShard, PlanHold
from tests.bench import PROFILE, Bench


def claim(bench: Bench, owner: str = "p1") -> PlanHold | None:
    return bench.db.write(
        lambda s: planning.claim_plan(
            s, owner, kinds=[ShardKind.INFER], now=bench.clock.now, lease_seconds=30
        )
    )


def commit(bench: Bench, hold: PlanHold, key: str, *sizes: int, part: int = 0) -> bool:
    shards, start, items_key = [], 0, f"items/part-{part:05d}-{hold.attempt}.parquet"
    for size in sizes:
        shards.append(NewShard(ShardKind.INFER, "detect", items_key, start, start + size))
        start += size
    return bench.db.write(
        lambda s: planning.commit_plan_part(
            s,
            hold,
            shards=shards,
            cursor={"key": key},
            passed_over={"not an image": part + 1},
            now=bench.clock.now,
            lease_seconds=30,
        )
    )


def finish(bench: Bench, hold: PlanHold) -> bool:
    return bench.db.write(lambda s: planning.finish_plan(s, hold, now=bench.clock.now))


def planned(bench: Bench) -> dict[str, Any]:
    job = bench.read_job("a")
    return {
        "cursor": job.plan_cursor,
        "listed": job.listed,
        "shards": job.shards,
        "parts": job.plan_parts,
        "passed_over": job.passed_over,
    }


def test_the_most_urgent_job_is_planned_first(bench: Bench) -> None:
    bench.job("low", state=JobState.PLANNING, created_at=1.0)
    bench.job("high", state=JobState.PLANNING, created_at=3.0, priority=1)
    bench.job("late", state=JobState.PLANNING, created_at=2.0)
    bench.job("done", created_at=0.0, priority=9)
    claimed = [claim(bench) for _ in range(4)]
    assert claimed == [PlanHold("high", 1), PlanHold("low", 1), PlanHold("late", 1), None]


def test_parts_shards_and_cursor_move_together(bench: Bench) -> None:
    bench.job("a", state=JobState.PLANNING)
    hold = claim(bench)
    assert hold is not None
    bench.clock.now += 20
    assert commit(bench, hold, "k", 3, 2)
    assert planned(bench) == {
        "cursor": {"key": "k"},
        "listed": 5,
        "shards": 2,
        "parts": 1,
        "passed_over": {"not an image": 1},
    }
    assert bench.read_job("a").plan_lease_until == bench.clock.now + 30
    assert commit(bench, hold, "m", 4, part=1)
    shards = [bench.read_shard(number) for number in (1, 2, 3)]
    assert [(s.seq, s.start, s.stop, s.items) for s in shards] == [
        (0, 0, 3, 3),
        (1, 3, 5, 2),
        (2, 0, 4, 4),
    ]
    assert [s.items_key[-9] for s in shards] == ["1", "1", "1"]
    assert finish(bench, hold)
    job = bench.read_job("a")
    assert (job.state, job.planned_at, job.plan_owner) == (JobState.RUNNING, 1020.0, None)


def test_a_repeated_commit_is_harmless(bench: Bench) -> None:
    bench.job("a", state=JobState.PLANNING)
    hold = claim(bench)
    assert hold is not None
    assert commit(bench, hold, "k", 3)
    before = planned(bench)
    assert commit(bench, hold, "k", 3)
    assert planned(bench) == before
    assert bench.states("a") == ["pending"]


def test_a_part_without_items_moves_the_cursor_only(bench: Bench) -> None:
    bench.job("a", state=JobState.PLANNING)
    hold = claim(bench)
    assert hold is not None
    assert commit(bench, hold, "k")
    assert planned(bench)["cursor"] == {"key": "k"}
    assert planned(bench)["parts"] == 0
    assert bench.states("a") == []


def test_an_overtaken_planner_commits_nothing(bench: Bench) -> None:
    bench.job("a", state=JobState.PLANNING)
    stale = claim(bench, "p1")
    assert stale is not None
    assert claim(bench, "p2") is None
    bench.clock.now += 30
    fresh = claim(bench, "p2")
    assert fresh == PlanHold("a", 2)
    assert fresh is not None
    before = planned(bench)
    assert not commit(bench, stale, "k", 3)
    assert not finish(bench, stale)
    assert not bench.db.write(lambda s: planning.release_plan(s, stale))
    assert not bench.db.write(lambda s: planning.fail_plan(s, stale, now=1.0, error="no"))
    assert planned(bench) == before
    assert bench.read_job("a").state is JobState.PLANNING
    assert commit(bench, fresh, "k", 3)
    assert not commit(bench, stale, "k", 3)
    assert finish(bench, fresh)


def test_a_stopped_job_takes_no_more_parts(bench: Bench) -> None:
    bench.job("a", state=JobState.PLANNING)
    hold = claim(bench)
    assert hold is not None
    bench.db.write(lambda s: jobs.pause(s, "a", now=1.0))
    assert not commit(bench, hold, "k", 3)
    assert not finish(bench, hold)
    bench.db.write(lambda s: jobs.resume(s, "a"))
    again = claim(bench, "p2")
    assert again == PlanHold("a", 2)
    bench.db.write(lambda s: jobs.stop(s, "a", JobMoves.CANCEL, now=1.0))
    assert again is not None
    assert not commit(bench, again, "k", 3)
    assert not finish(bench, again)
    assert bench.states("a") == []


def test_a_released_plan_is_free_at_once(bench: Bench) -> None:
    bench.job("a", state=JobState.PLANNING)
    hold = claim(bench)
    assert hold is not None
    assert bench.db.write(lambda s: planning.release_plan(s, hold))
    assert claim(bench, "p2") == PlanHold("a", 2)


def test_a_listing_that_cannot_be_read_fails_the_job(bench: Bench) -> None:
    bench.job("a", state=JobState.PLANNING)
    hold = claim(bench)
    assert hold is not None
    commit(bench, hold, "k", 3)
    assert bench.db.write(lambda s: planning.fail_plan(s, hold, now=1.0, error="no such folder"))
    job = bench.read_job("a")
    assert (job.state, job.error) == (JobState.FAILING, "no such folder")
    assert bench.states("a") == ["cancelled"]


def test_a_profile_is_frozen_once(bench: Bench) -> None:
    bench.job("a", profile=None)
    bench.job("b", profile=None, state=JobState.PAUSED)
    assert [job.id for job in bench.db.read(profiles.unprofiled)] == ["a"]
    assert bench.db.write(lambda s: profiles.freeze_profile(s, "a", PROFILE))
    assert not bench.db.write(lambda s: profiles.freeze_profile(s, "a", PROFILE))
    assert bench.db.read(profiles.unprofiled) == []
    assert bench.read_job("a").profile == PROFILE.to_json()
