"""Runs beyond what their schedule keeps go, with their output, and never one that is needed."""

from typing import Any

import pytest
from sqlalchemy import update
from structlog.testing import capture_logs

from core.request import JobRequest
from core.schedule import Cause, FireState, Mode, Schedule
from core.states import JobState
from scheduler.old_runs import excess, needed_next
from scheduler.removal import why_kept
from scheduler.retention import Retention
from store import notifications, references, schedules
from store.jobs import get_job
from store.tables import Job, ScheduleFire
from tests.bench import Bench

DAY = 86_400.0
DONE, PARTIAL, FAILED = JobState.SUCCEEDED, JobState.PARTIAL, JobState.FAILED


@pytest.fixture
def bench(sqlite_bench: Bench) -> Bench:
    """On SQLite: nothing here depends on the kind of database."""
    return sqlite_bench


@pytest.fixture
def nightly(bench: Bench) -> str:
    return scheduled(bench, "nightly", keep_runs=2)


def scheduled(bench: Bench, name: str, **values: Any) -> str:
    definition = Schedule("0 2 * * *", "UTC", JobRequest.of("/photos/", "m"), **values)
    now = bench.clock.now
    bench.db.write(lambda s: schedules.add(s, name, name, definition, next_at=None, now=now))
    return name


def ran(bench: Bench, schedule: str, *runs: tuple[str, JobState]) -> None:
    """Let a schedule have had these runs, a day apart, by the clock and by hand in turns."""
    for number, (name, state) in enumerate(runs):
        bench.clock.now += DAY
        bench.job(name, state=state, finished_at=bench.clock.now)
        bench.output(name).put("results/part-000000.parquet", b"12345")
        fired(bench, schedule, name, (Cause.DUE, Cause.BY_HAND)[number % 2])


def fired(
    bench: Bench,
    schedule: str,
    job: str,
    cause: Cause = Cause.DUE,
    state: FireState = FireState.SUBMITTED,
) -> None:
    row = ScheduleFire(
        schedule_id=schedule,
        due_at=bench.clock.now,
        revision=1,
        cause=cause.value,
        state=state.value,
        job_id=job,
        fired_at=bench.clock.now,
    )
    bench.db.write(lambda s: s.add(row))


def left(bench: Bench, schedule: str) -> list[str]:
    return [job.id for job in bench.db.read(lambda s: schedules.runs_of(s, schedule))]


def test_the_newest_runs_stay(bench: Bench, nightly: str) -> None:
    bench.job("elsewhere", state=DONE)
    ran(bench, nightly, ("a", DONE), ("b", FAILED), ("c", DONE), ("d", DONE))
    bench.job("e", created_at=bench.clock.now + 1)
    fired(bench, scheduled(bench, "other", keep_runs=1), "elsewhere")
    bench.clock.now += 1
    fired(bench, nightly, "e")  # under way: it does not count yet
    assert Retention(bench.db).tick() == 2
    assert left(bench, nightly) == ["e", "d", "c"]
    *_, b, a = bench.db.read(lambda s: schedules.fires_of(s, nightly))
    assert [b.why, a.why] == ["failed: 0 of 0 items", "succeeded: 0 items"], "history keeps it"
    assert not (bench.root / "a").exists()
    assert (bench.root / "d").exists()
    assert left(bench, "other") == ["elsewhere"]


def test_what_the_next_run_may_go_on_from_stays(bench: Bench, nightly: str) -> None:
    runs = [("a", DONE), ("b", DONE), ("c", PARTIAL), ("d", FAILED), ("e", FAILED)]
    ran(bench, nightly, *runs)
    early = (
        update(Job).where(Job.id.in_(["d", "e"])).values(planned_at=None)
    )  # before all was listed
    bench.db.write(lambda s: s.execute(early))
    assert Retention(bench.db).tick() == 1
    assert left(bench, nightly) == ["e", "d", "c", "b"]


def test_young_runs_stay(bench: Bench) -> None:
    name = scheduled(bench, "daily", keep_seconds=2.5 * DAY)
    ran(bench, name, *((job, DONE) for job in "abcd"))
    bench.clock.now += 1
    assert [job.id for job in excess(bench.db, name, None, 2.5 * DAY)] == ["a"]
    assert [job.id for job in excess(bench.db, name, 1, 1.5 * DAY)] == ["b", "a"]
    bench.clock.now += 99 * DAY
    assert Retention(bench.db).tick() == 3, "the newest that succeeded stays however old it is"
    assert left(bench, name) == ["d"]


def test_a_fire_under_way_may_have_chosen_any_run(bench: Bench, nightly: str) -> None:
    ran(bench, nightly, *((job, DONE) for job in "abcd"))
    bench.clock.now += 1
    fired(bench, nightly, "e", state=FireState.FIRING)
    assert Retention(bench.db).tick() == 0
    assert left(bench, nightly) == ["d", "c", "b", "a"]


def test_a_run_that_another_job_needs_stays_and_that_is_said_once(
    bench: Bench, nightly: str
) -> None:
    ran(bench, nightly, *((job, DONE) for job in "abcd"))
    bench.db.write(lambda s: references.add(s, "d", "a", references.REDRAWS))
    now = [0.0]
    retention = Retention(bench.db, monotonic=lambda: now[0])
    with capture_logs() as logs:
        assert retention.tick() == 1
        now[0] += 301
        assert retention.tick() == 0
    assert left(bench, nightly) == ["d", "c", "a"]
    [said] = [entry for entry in logs if entry["event"] == "run stays beyond its time"]
    assert (said["schedule"], said["job"], said["why"]) == ("nightly", "a", "d refers to it")


def test_it_looks_rarely_and_after_a_run_has_ended(bench: Bench, nightly: str) -> None:
    now = [0.0]
    retention = Retention(bench.db, monotonic=lambda: now[0])
    ran(bench, nightly, ("a", DONE), ("b", DONE))
    assert retention.tick() == 0
    bench.clock.now -= 1.5 * DAY  # another one appears, and none has ended since
    ran(bench, nightly, ("z", DONE))
    bench.clock.now += DAY
    assert retention.tick() == 0
    now[0] += 301
    assert retention.tick() == 1, "it is time"
    other = scheduled(bench, "other", keep_runs=1)
    bench.clock.now -= 9 * DAY
    ran(bench, nightly, ("y", DONE))
    bench.clock.now += 9 * DAY
    ran(bench, other, ("c", DONE))
    assert retention.tick() == 0, "no run of that schedule has ended"
    ran(bench, nightly, ("d", DONE))
    assert retention.tick() == 2, "a run has ended"


def test_a_run_stays_until_all_were_told_that_it_ended(bench: Bench, nightly: str) -> None:
    ran(bench, nightly, ("a", DONE), ("b", FAILED))
    tell = {"on": "finish", "targets": [{"url": "https://example.org/"}]}
    bench.db.write(lambda s: s.execute(update(Job).where(Job.id == "b").values(notify=tell)))
    bench.db.write(lambda s: notifications.announce(s, "b", now=1.0))
    ran(bench, nightly, ("c", DONE), ("d", DONE))
    assert Retention(bench.db).tick() == 1
    assert left(bench, nightly) == ["d", "c", "b"]
    [notice] = bench.db.write(
        lambda s: notifications.lease_due(s, "n", now=2.0, lease_seconds=9.0, limit=1)
    )
    bench.db.write(lambda s: notifications.delivered(s, notice, now=3.0))
    assert Retention(bench.db).tick() == 1


def test_a_removal_goes_on_where_a_stopped_one_was(bench: Bench, nightly: str) -> None:
    ran(bench, nightly, *((job, DONE) for job in "abc"))
    for number in range(5):
        bench.output("a").put(f"annotated/{number}.jpg", b"x")
    asked = iter([False, False, False])
    stopped = Retention(bench.db, is_stopped=lambda: next(asked, True))
    assert stopped.tick() == 0
    assert left(bench, nightly) == ["c", "b", "a"]
    assert len(list(bench.output("a").list())) == 3
    assert Retention(bench.db).tick() == 1
    assert not (bench.root / "a").exists()


def test_what_a_schedule_reads_stays(bench: Bench, nightly: str) -> None:
    ran(bench, nightly, *((job, DONE) for job in "abcd"))
    request = JobRequest.of(f"{bench.root}/a/annotated/", "m")
    definition = Schedule("0 2 * * *", "UTC", request)
    bench.db.write(lambda s: schedules.add(s, "again", "again", definition, next_at=None, now=1.0))
    job = bench.db.read(lambda s: get_job(s, "a"))
    why = "schedule again has a source in its output"
    assert why_kept(bench.db, job, with_output=True) == why
    assert Retention(bench.db).tick() == 1


def test_only_schedules_of_what_is_new_need_a_run(bench: Bench, nightly: str) -> None:
    ran(bench, nightly, ("a", DONE))
    new = scheduled(bench, "new", mode=Mode.NEW_ONLY)
    ran(bench, new, ("b", DONE), ("c", PARTIAL), ("d", FAILED))
    assert needed_next(bench.db) == {"b": "new", "d": "new"}


def test_what_a_newer_version_wrote_keeps_its_runs(bench: Bench, nightly: str) -> None:
    ran(bench, nightly, *((job, DONE) for job in "abc"))
    row = bench.db.read(lambda s: schedules.find(s, nightly))
    newer = {**row.definition, "moon": "full"}

    def write(session: Any) -> None:
        schedules.find(session, nightly).definition = newer

    bench.db.write(write)
    assert Retention(bench.db).tick() == 0
    assert left(bench, nightly) == ["c", "b", "a"]
