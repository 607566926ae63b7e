"""Schedules fire: each time once, whoever fires it, and whatever happens in between."""

import shutil
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import yaml
from sqlalchemy import update

from core.errors import RetryableError, UsageError
from core.options import JobOptions
from core.request import JobRequest
from core.schedule import CatchUp, Mode, Overlap, Schedule
from core.states import JobMoves, JobState
from scheduler import firing, schedules
from scheduler.firing import Firing
from scheduler.submit import Draft, JobDefaults
from store import fires, jobs, models, tables
from store import schedules as rows
from store.database import Database
from store.tables import Job, Model, ScheduleFire
from tests.bench import Bench

CONFIG: dict[str, Any] = {
    "arch": "YOLO",
    "draw_threshold": 0.4,
    "label_list": ["boat", "buoy"],
    "Preprocess": [
        {"type": "Resize", "target_size": [64, 64], "keep_ratio": False, "interp": 2},
        {"type": "Permute"},
    ],
}
MIDNIGHT = datetime(2026, 1, 5, tzinfo=UTC).timestamp()
HOUR, DAY = 3600.0, 86400.0
TWO = MIDNIGHT + 2 * HOUR
"""When the nightly schedule is due first."""


@pytest.fixture
def model(tmp_path: Path) -> Path:
    folder = tmp_path / "boats"
    folder.mkdir()
    (folder / "infer_cfg.yml").write_text(yaml.safe_dump(CONFIG))
    (folder / "model.json").write_text("{}")
    (folder / "model.pdiparams").write_bytes(b"weights")
    return folder


class Nightly:
    """A schedule over one picture, at 02:00 UTC, and the schedulers that may fire it."""

    def __init__(self, bench: Bench, model: Path) -> None:
        self.bench = bench
        self.db = bench.db
        self.photos = bench.root / "photos"
        self.photos.mkdir()
        (self.photos / "a.jpg").write_bytes(b"x")
        self.request = JobRequest.of(str(self.photos), str(model))
        self.defaults = JobDefaults(str(bench.root / "outputs"), 10, 20, 90)
        bench.clock.now = MIDNIGHT
        self.firing = self.scheduler()

    def scheduler(self) -> Firing:
        return Firing(self.db, self.defaults)

    def add(self, name: str = "nightly", cron: str = "0 2 * * *", **more: Any) -> tables.Schedule:
        said: dict[str, Any] = {"timezone": "UTC", "request": self.request, **more}
        drafted = schedules.drafted(self.db, Schedule(cron, **said), self.defaults)
        return schedules.add(self.db, name, drafted)

    def tick_at(self, moment: float) -> None:
        self.bench.clock.now = moment
        self.firing.tick()

    def read(self, name: str = "nightly") -> tables.Schedule:
        return self.db.read(lambda s: rows.find(s, name))

    def fires(self, name: str = "nightly") -> list[ScheduleFire]:
        """The times that have come, in order."""
        schedule = self.read(name)
        return list(reversed(self.db.read(lambda s: rows.fires_of(s, schedule.id))))

    def states(self, name: str = "nightly") -> list[str]:
        return [each.state for each in self.fires(name)]

    def jobs(self) -> list[Job]:
        """All jobs, oldest first."""
        return list(reversed(self.db.read(jobs.list_jobs)))

    def job_of(self, number: int) -> Job:
        """The job of a fire, counted in order."""
        job_id = self.fires()[number].job_id
        assert job_id is not None
        return self.bench.read_job(job_id)

    def plan(self, number: int) -> None:
        """Let a fire's job run, as if it had been planned."""
        self._set(number, state=JobState.RUNNING, planned_at=self.bench.clock.now)

    def end(self, number: int, state: JobState = JobState.SUCCEEDED) -> None:
        """Let a fire's job come to its end."""
        now = self.bench.clock.now
        self._set(number, state=state, planned_at=now, finished_at=now)

    def _set(self, number: int, **values: Any) -> None:
        job_id = self.job_of(number).id

        def work(session: Any) -> None:
            job = jobs.get_job(session, job_id)
            for name, value in values.items():
                setattr(job, name, value)

        self.db.write(work)


@pytest.fixture
def nightly(bench: Bench, model: Path) -> Nightly:
    return Nightly(bench, model)


@pytest.fixture
def alone(sqlite_bench: Bench, model: Path) -> Nightly:
    """For what does not depend on the kind of database."""
    return Nightly(sqlite_bench, model)


def test_a_schedule_fires_at_its_times(nightly: Nightly) -> None:
    schedule = nightly.add(request=nightly.request.but(threshold=0.3, tag=("night",)))
    assert (schedule.next_at, schedule.state) == (TWO, "active")
    nightly.tick_at(TWO - 1)
    assert nightly.states() == []
    nightly.tick_at(TWO + 3)
    [fire] = nightly.fires()
    assert (fire.state, fire.due_at, fire.cause, fire.why) == ("submitted", TWO, "due", None)
    [job] = nightly.jobs()
    assert (job.id, job.name, job.state) == (fire.job_id, "nightly", JobState.PLANNING)
    assert (job.tags, JobOptions.from_json(job.options).rows.threshold) == (["night"], 0.3)
    assert job.output == f"{nightly.defaults.objects}/{job.id}"
    assert nightly.read().next_at == TWO + DAY
    nightly.tick_at(TWO + 10)
    assert len(nightly.jobs()) == 1
    [run] = nightly.db.read(lambda s: rows.runs_of(s, schedule.id))
    assert run.id == job.id


def test_each_run_has_a_folder_in_the_schedules_output(alone: Nightly) -> None:
    output = alone.bench.root / "results"
    alone.add(request=alone.request.but(output=str(output)), overlap="queue")
    alone.tick_at(TWO)
    alone.end(0)
    alone.tick_at(TWO + DAY)
    assert [job.output for job in alone.jobs()] == [
        f"{output}/{fire.job_id}" for fire in alone.fires()
    ]


# Nothing is lost, and nothing done twice.


@pytest.mark.parametrize("steps", [1, 2, 3])
def test_whoever_comes_next_goes_on_where_a_scheduler_was_killed(
    nightly: Nightly, steps: int
) -> None:
    schedule = nightly.add()
    nightly.bench.clock.now = TWO
    dead = nightly.scheduler()
    key = (schedule.id, TWO)
    chosen = dead.fire(schedule.id)[0].job_id
    if steps > 1:
        assert dead.take(key)
    if steps > 2:
        assert dead.write_job(key) is not None
    expected = ["submitted"] if steps == 1 else ["firing"]
    nightly.tick_at(TWO + 1)
    assert nightly.states() == (["submitted"] if steps > 2 else expected)
    nightly.tick_at(TWO + 11)
    nightly.tick_at(TWO + 30)
    assert nightly.states() == ["submitted"]
    assert [job.id for job in nightly.jobs()] == [chosen]


def test_a_scheduler_that_wakes_up_late_writes_no_second_job(nightly: Nightly) -> None:
    schedule = nightly.add()
    nightly.bench.clock.now = TWO
    frozen = nightly.scheduler()
    key = (schedule.id, TWO)
    frozen.fire(schedule.id)
    assert frozen.take(key)
    nightly.tick_at(TWO + 11)
    [job] = nightly.jobs()
    again = frozen.write_job(key)
    assert again is not None
    assert again.id == job.id
    assert frozen.fire(schedule.id) == []
    assert not frozen.take(key)
    assert [each.id for each in nightly.jobs()] == [job.id]


def test_a_schedule_that_was_removed_meanwhile_brings_no_job(alone: Nightly) -> None:
    schedule = alone.add()
    alone.bench.clock.now = TWO
    alone.firing.fire(schedule.id)
    key = (schedule.id, TWO)
    assert alone.firing.take(key)
    assert alone.db.write(lambda s: rows.remove(s, schedule.id))
    assert alone.firing.write_job(key) is None
    assert alone.jobs() == []


def test_schedulers_that_race_fire_each_time_once(nightly: Nightly) -> None:
    names = [f"s{number}" for number in range(4)]
    for name in names:
        nightly.add(name, "*/5 * * * *", catch_up=CatchUp.ALL, overlap=Overlap.QUEUE)
    url = nightly.db.url
    nightly.bench.clock.now = MIDNIGHT + 1201
    together = threading.Barrier(3)

    def race(_: int) -> None:
        db = Database(url, clock=nightly.bench.clock)
        mine = Firing(db, nightly.defaults)
        together.wait()
        for _ in range(3):
            mine.tick()
        db.close()

    with ThreadPoolExecutor(3) as pool:
        list(pool.map(race, range(3)))
    for name in names:
        assert [fire.due_at - MIDNIGHT for fire in nightly.fires(name)] == [300, 600, 900, 1200]
        assert nightly.states(name) == ["submitted", "queued", "queued", "queued"]
    assert sorted(job.name for job in nightly.jobs()) == names


def test_a_clock_that_is_set_back_fires_nothing_twice(nightly: Nightly) -> None:
    nightly.add(overlap=Overlap.QUEUE)
    nightly.tick_at(TWO)
    nightly.bench.clock.now = TWO - HOUR
    nightly.firing.pull_back()
    assert nightly.read().next_at == TWO
    nightly.tick_at(TWO + 1)
    assert nightly.states() == ["submitted"]
    assert nightly.read().next_at == TWO + DAY


def test_a_clock_that_was_far_ahead_keeps_no_schedule_from_firing(alone: Nightly) -> None:
    alone.add(catch_up=CatchUp.NONE)
    alone.tick_at(TWO + 400 * DAY + HOUR)
    assert set(alone.states()) == {"skipped"}
    alone.bench.clock.now = TWO - 1
    assert alone.firing.pull_back() == 1
    alone.tick_at(TWO)
    assert alone.fires()[0].due_at == TWO
    assert alone.states()[0] == "submitted"


def test_a_clock_that_is_set_back_leaves_no_job_unwritten(alone: Nightly) -> None:
    schedule = alone.add()
    alone.bench.clock.now = TWO
    alone.firing.fire(schedule.id)
    assert alone.firing.take((schedule.id, TWO))
    alone.bench.clock.now = TWO - DAY
    alone.firing.pull_back()
    alone.tick_at(TWO - DAY + 301)
    assert alone.states() == ["submitted"]


# What was missed.


def missed(nightly: Nightly, catch_up: CatchUp, hours: float, cron: str = "0 * * * *") -> list[str]:
    nightly.add(cron=cron, catch_up=catch_up)
    nightly.tick_at(MIDNIGHT + hours * HOUR)
    return [f"{(f.due_at - MIDNIGHT) / HOUR:g} {f.cause} {f.state}" for f in nightly.fires()]


@pytest.mark.parametrize(
    ("catch_up", "late", "just"),
    [
        (
            CatchUp.NONE,
            ["1 caught up skipped", "2 caught up skipped"],
            ["1 caught up skipped", "2 due submitted"],
        ),
        (
            CatchUp.LAST,
            ["1 caught up skipped", "2 caught up submitted"],
            ["1 caught up skipped", "2 due submitted"],
        ),
        (
            CatchUp.ALL,
            ["1 caught up submitted", "2 caught up queued"],
            ["1 caught up submitted", "2 due queued"],
        ),
    ],
)
def test_missed_times_are_made_up_for_as_asked(
    alone: Nightly, catch_up: CatchUp, late: list[str], just: list[str]
) -> None:
    assert missed(alone, catch_up, 2.5) == late
    other = alone.add("just", "0 * * * *", catch_up=catch_up)
    alone.db.write(lambda s: fires.pull_back(s, alone.read("just"), next_at=MIDNIGHT + HOUR))
    alone.bench.clock.now = MIDNIGHT + 2 * HOUR + 5
    alone.firing.fire(other.id)
    alone.firing.tick()
    found = alone.fires("just")
    assert [f"{(f.due_at - MIDNIGHT) / HOUR:g} {f.cause} {f.state}" for f in found] == just
    skipped = [fire.why for fire in found if fire.state == "skipped"]
    assert set(skipped) <= {"missed: no scheduler saw it in time"}


def test_a_month_that_was_missed_is_no_flood(alone: Nightly) -> None:
    found = missed(alone, CatchUp.ALL, 30 * 24 + 0.5)
    assert len(found) == firing.MOST_CAUGHT_UP + 1
    assert [each.split()[-1] for each in found] == ["skipped", "submitted", *["queued"] * 23]
    assert "only the last 24" in (alone.fires()[0].why or "")


def test_missed_runs_follow_one_another(alone: Nightly) -> None:
    missed(alone, CatchUp.ALL, 3.5)
    for number in range(3):
        assert alone.states() == [
            *["submitted"] * (number + 1),
            *["queued"] * (2 - number),
        ]
        alone.end(number)
        alone.firing.tick()


# While the previous run has not ended.


def test_a_time_is_skipped_while_the_previous_run_goes_on(alone: Nightly) -> None:
    alone.add()
    alone.tick_at(TWO)
    alone.tick_at(TWO + DAY)
    assert alone.states() == ["submitted", "skipped"]
    assert alone.fires()[1].why == "the run of 2026-01-05T02:00:00.000Z has not ended"
    assert alone.fires()[1].job_id is None
    alone.end(0)
    alone.tick_at(TWO + 2 * DAY)
    assert alone.states() == ["submitted", "skipped", "submitted"]


def test_a_run_is_queued_until_the_previous_one_has_ended(nightly: Nightly) -> None:
    nightly.add(overlap=Overlap.QUEUE)
    nightly.tick_at(TWO)
    nightly.tick_at(TWO + DAY)
    nightly.tick_at(TWO + DAY + HOUR)
    assert nightly.states() == ["submitted", "queued"]
    nightly.end(0, JobState.FAILED)
    nightly.firing.tick()
    assert nightly.states() == ["submitted", "submitted"]


def test_a_queue_has_an_end(alone: Nightly, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fires, "MOST_QUEUED", 2)
    alone.add(cron="* * * * *", overlap=Overlap.QUEUE)
    for minute in range(1, 5):
        alone.tick_at(MIDNIGHT + 60 * minute)
    assert alone.states() == ["submitted", "queued", "queued", "skipped"]
    assert "2 runs are queued" in (alone.fires()[-1].why or "")


def test_the_previous_run_is_cancelled(nightly: Nightly) -> None:
    nightly.add(overlap=Overlap.CANCEL_PREVIOUS)
    nightly.tick_at(TWO)
    nightly.tick_at(TWO + DAY)
    assert nightly.job_of(0).state is JobState.CANCELLING
    assert nightly.states() == ["submitted", "queued"]
    nightly.tick_at(TWO + 2 * DAY)
    assert nightly.states() == ["submitted", "skipped", "queued"]
    nightly.end(0, JobState.CANCELLED)
    nightly.firing.tick()
    assert nightly.states() == ["submitted", "skipped", "submitted"]


# Windows.


def test_a_run_is_paused_when_its_window_closes_and_goes_on_in_the_next(nightly: Nightly) -> None:
    nightly.add(until="06:00")
    nightly.tick_at(TWO)
    nightly.plan(0)
    nightly.tick_at(TWO + 4 * HOUR - 1)
    assert nightly.job_of(0).state is JobState.RUNNING
    nightly.tick_at(TWO + 4 * HOUR)
    job = nightly.job_of(0)
    assert (job.state, nightly.states()) == (JobState.PAUSED, ["held"])
    assert (job.error or "").startswith(
        "the window of schedule 'nightly' closed at 2026-01-05T06:00"
    )
    nightly.tick_at(TWO + DAY)
    job = nightly.job_of(0)
    assert (job.state, job.error, job.max_quarantined) == (JobState.RUNNING, None, None)
    assert nightly.states() == ["submitted", "skipped"]  # it is the previous run, which goes on
    nightly.tick_at(TWO + DAY + 4 * HOUR)
    assert nightly.job_of(0).state is JobState.PAUSED
    assert nightly.states() == ["held", "skipped"]


def test_a_job_that_is_still_planned_is_paused_and_planned_on(alone: Nightly) -> None:
    alone.add(until="06:00")
    alone.tick_at(TWO)
    alone.tick_at(TWO + 4 * HOUR)
    assert alone.job_of(0).state is JobState.PAUSED
    alone.tick_at(TWO + DAY)
    assert alone.job_of(0).state is JobState.PLANNING


def test_what_a_person_has_paused_stays_so(alone: Nightly) -> None:
    alone.add(until="06:00")
    alone.tick_at(TWO)
    alone.plan(0)
    job = alone.job_of(0).id
    alone.db.write(lambda s: jobs.pause(s, job, now=TWO + HOUR))
    alone.tick_at(TWO + 5 * HOUR)
    alone.tick_at(TWO + DAY)
    assert alone.job_of(0).state is JobState.PAUSED
    alone.db.write(lambda s: jobs.resume(s, job))
    alone.tick_at(TWO + DAY + 5 * HOUR)
    assert alone.job_of(0).state is JobState.RUNNING


def test_what_a_person_has_resumed_is_not_paused_again(alone: Nightly) -> None:
    alone.add(until="06:00")
    alone.tick_at(TWO)
    alone.plan(0)
    alone.tick_at(TWO + 4 * HOUR)
    job = alone.job_of(0).id
    assert alone.db.write(lambda s: jobs.resume(s, job))
    assert alone.job_of(0).max_quarantined is None  # its quarantined items were not the reason
    for moment in (TWO + 5 * HOUR, TWO + DAY, TWO + DAY + 5 * HOUR):
        alone.tick_at(moment)
        assert alone.job_of(0).state is JobState.RUNNING


def test_what_a_person_has_paused_in_between_does_not_go_on(alone: Nightly) -> None:
    alone.add(until="06:00")
    alone.tick_at(TWO)
    alone.plan(0)
    alone.tick_at(TWO + 4 * HOUR)
    job = alone.job_of(0).id
    alone.db.write(lambda s: jobs.resume(s, job))
    alone.db.write(lambda s: jobs.pause(s, job, now=TWO + 5 * HOUR))
    alone.tick_at(TWO + DAY)
    assert alone.job_of(0).state is JobState.PAUSED


def test_what_is_tried_again_after_its_window_is_left_alone(alone: Nightly) -> None:
    alone.add(until="06:00")
    alone.tick_at(TWO)
    alone.end(0, JobState.PARTIAL)
    alone.tick_at(TWO + 5 * HOUR)
    job = alone.job_of(0).id
    alone.db.write(lambda s: jobs.reopen(s, job, now=TWO + 6 * HOUR))
    alone.tick_at(TWO + 7 * HOUR)
    assert alone.job_of(0).state is JobState.RUNNING


def test_a_queued_run_waits_for_a_window(alone: Nightly) -> None:
    alone.add(until="06:00", overlap=Overlap.QUEUE)
    alone.tick_at(TWO)
    alone.plan(0)
    alone.tick_at(TWO + 4 * HOUR)
    alone.tick_at(TWO + DAY)
    assert alone.states() == ["submitted", "queued"]
    alone.bench.clock.now = TWO + DAY + 5 * HOUR  # nobody was up when the window closed
    alone.end(0)
    alone.firing.tick()
    assert alone.states() == ["submitted", "queued"]
    alone.tick_at(TWO + 2 * DAY)
    assert alone.states() == ["submitted", "submitted", "queued"]
    assert alone.fires()[1].pause_at == TWO + 2 * DAY + 4 * HOUR


def test_a_time_whose_window_has_closed_is_not_made_up_for(alone: Nightly) -> None:
    alone.add(until="06:00")
    alone.tick_at(TWO + 5 * HOUR)
    assert alone.states() == ["skipped"]
    assert "its window closed at" in (alone.fires()[0].why or "")


# Trouble.


def test_what_cannot_be_submitted_says_why(alone: Nightly) -> None:
    alone.add()
    (alone.photos / "a.jpg").unlink()
    alone.photos.rmdir()
    alone.tick_at(TWO)
    [fire] = alone.fires()
    assert (fire.state, alone.jobs()) == ("failed", [])
    assert "photos" in (fire.why or "")
    alone.photos.mkdir()
    (alone.photos / "b.jpg").write_bytes(b"x")
    alone.tick_at(TWO + DAY)
    assert alone.states() == ["failed", "submitted"]


def test_a_model_that_is_gone_fails_the_fire(alone: Nightly) -> None:
    alone.add()
    alone.db.write(lambda s: models.remove_model(s, "boats"))
    alone.tick_at(TWO)
    assert alone.states() == ["failed"]
    assert "no model 'boats'" in (alone.fires()[0].why or "")


def test_passing_trouble_is_tried_again_until_the_next_time(
    alone: Nightly, monkeypatch: pytest.MonkeyPatch
) -> None:
    def away(*_: object, **__: object) -> None:
        raise RetryableError("the bucket is away")

    schedule = alone.add()
    with monkeypatch.context() as patch:
        patch.setattr(firing, "check", away)
        alone.tick_at(TWO)
        alone.tick_at(TWO + 2)
        [fire] = alone.fires()
        assert (fire.state, fire.tries, fire.why) == ("firing", 2, "the bucket is away")
        assert fire.try_at == TWO + 4
        alone.tick_at(TWO + 3)
        assert alone.fires()[0].tries == 2
        alone.db.write(lambda s: s.execute(update(ScheduleFire).values(tries=5000)))  # for weeks
        alone.tick_at(TWO + HOUR)
        assert (alone.fires()[0].tries, alone.fires()[0].try_at) == (5001, TWO + HOUR + 300)
        alone.tick_at(TWO + DAY)
        assert alone.states() == ["failed", "firing"]
        assert alone.fires()[0].why == "the bucket is away"
    alone.tick_at(TWO + DAY + 60)
    assert alone.states() == ["failed", "submitted"]
    assert alone.read().id == schedule.id


def test_a_source_that_hangs_holds_up_no_other_schedule(
    alone: Nightly, monkeypatch: pytest.MonkeyPatch
) -> None:
    away = threading.Event()
    checked = firing.check

    def hanging(db: Database, request: JobRequest, *rest: Any, **more: Any) -> Draft:
        if request.terms.name == "first":
            away.wait(30)
        return checked(db, request, *rest, **more)

    monkeypatch.setattr(firing, "check", hanging)
    alone.add("first")
    alone.add("second")
    alone.bench.clock.now = TWO
    with ThreadPoolExecutor(2) as pool:
        beside = Firing(alone.db, alone.defaults, pool=pool)
        for _ in range(500):
            beside.tick()
            if alone.states("second") == ["submitted"]:
                break
        assert alone.states("first") == ["firing"]
        away.set()
    assert alone.states("first") == alone.states("second") == ["submitted"]


def test_trouble_with_one_schedule_stops_no_other(alone: Nightly) -> None:
    first = alone.add("first")
    alone.add("second")

    def spoil(session: Any) -> None:
        session.get_one(tables.Schedule, first.id).definition = {"cron": "x", "frequency": 7}

    alone.db.write(spoil)
    alone.tick_at(TWO)
    assert alone.states("first") == []  # it is left to a newer scheduler
    assert alone.states("second") == ["submitted"]


# By hand, paused, edited.


def test_a_schedule_is_fired_by_hand(nightly: Nightly) -> None:
    schedule = nightly.add(until="06:00")
    fire = schedules.fire_by_hand(nightly.db, schedule)
    assert (fire.cause, fire.state, fire.pause_at) == ("by hand", "firing", None)
    nightly.firing.tick()
    assert nightly.job_of(0).id == fire.job_id
    with pytest.raises(UsageError, match="has not ended"):
        schedules.fire_by_hand(nightly.db, schedule)
    assert nightly.read().next_at == TWO


def test_by_hand_as_often_as_one_likes(alone: Nightly) -> None:
    schedule = alone.add(overlap=Overlap.QUEUE)
    alone.db.write(lambda s: rows.pause(s, schedule.id, now=MIDNIGHT))
    for _ in range(2):
        schedules.fire_by_hand(alone.db, schedule)
    alone.firing.tick()
    alone.end(0)
    alone.firing.tick()
    assert alone.states() == ["submitted", "submitted"]


def test_a_paused_schedule_makes_up_for_nothing(alone: Nightly) -> None:
    schedule = alone.add()
    assert alone.db.write(lambda s: rows.pause(s, schedule.id, now=MIDNIGHT))
    assert not alone.db.write(lambda s: rows.pause(s, schedule.id, now=MIDNIGHT))
    alone.tick_at(TWO + DAY + HOUR)
    assert schedules.resume(alone.db, alone.read())
    assert not schedules.resume(alone.db, alone.read())
    alone.firing.tick()
    assert (alone.states(), alone.read().next_at) == ([], TWO + 2 * DAY)


def test_an_edit_keeps_history_and_moves_the_next_time(nightly: Nightly) -> None:
    before = nightly.add()
    drafted = schedules.drafted(
        nightly.db, replace(rows.definition_of(before), cron="0 5 * * *"), nightly.defaults
    )
    schedules.edit(nightly.db, before, drafted)
    other = nightly.bench.root / "other"
    shutil.copytree(nightly.request.terms.model[0], other)
    (other / "model.json").write_text("{ }")
    late = schedules.drafted(
        nightly.db,
        Schedule("0 6 * * *", "UTC", nightly.request.but(model=(str(other),))),
        nightly.defaults,
    )
    with pytest.raises(UsageError, match="somebody else"):
        schedules.edit(nightly.db, before, late)
    assert [one.name for one in nightly.db.read(models.list_models)] == ["boats"]
    after = nightly.read()
    assert (after.revision, after.next_at) == (2, MIDNIGHT + 5 * HOUR)
    known = nightly.db.read(lambda s: rows.revisions_of(s, after.id))
    assert [(each.revision, each.definition["cron"]) for each in known] == [
        (2, "0 5 * * *"),
        (1, "0 2 * * *"),
    ]


def test_an_edit_while_somebody_resumes_the_schedule_does_not_stop_it(alone: Nightly) -> None:
    schedule = alone.add()
    alone.db.write(lambda s: rows.pause(s, schedule.id, now=MIDNIGHT))
    paused = alone.read()
    drafted = schedules.drafted(alone.db, rows.definition_of(paused), alone.defaults)
    assert schedules.resume(alone.db, paused)
    with pytest.raises(UsageError, match="somebody else has changed"):
        schedules.edit(alone.db, paused, drafted)
    assert (alone.read().state, alone.read().next_at) == ("active", TWO)


def test_names_are_unique_and_near_ones_proposed(nightly: Nightly) -> None:
    nightly.add()
    with pytest.raises(UsageError, match="there is a schedule 'nightly'"):
        nightly.add()
    with pytest.raises(UsageError) as caught:
        nightly.read("nigthly")
    assert caught.value.hint == "did you mean 'nightly'?"


# What is new.


def test_new_only_goes_on_from_the_last_run_that_knows_its_source(alone: Nightly) -> None:
    alone.add(mode=Mode.NEW_ONLY, overlap=Overlap.QUEUE)
    alone.tick_at(TWO)
    alone.end(0)
    alone.tick_at(TWO + DAY)
    first, second = alone.job_of(0), alone.job_of(1)
    assert (first.since_job, second.since_job) == (None, first.id)
    job = second.id
    alone.db.write(lambda s: jobs.stop(s, job, JobMoves.FAIL, now=TWO + DAY))
    alone.db.write(lambda s: jobs.move_job(s, job, JobMoves.END_FAILED))
    alone.tick_at(TWO + 2 * DAY)
    assert alone.job_of(2).since_job == first.id  # the second was never listed to its end


def test_a_reason_to_do_more_than_what_is_new_holds_from_the_second_run_on(
    nightly: Nightly,
) -> None:
    request = nightly.request.but(redo_on=("engine",))
    nightly.add(mode=Mode.NEW_ONLY, request=request)
    nightly.tick_at(TWO)
    nightly.end(0)
    nightly.tick_at(TWO + DAY)
    said = [nightly.job_of(number).request or {} for number in (0, 1)]
    assert [one.get("redo_on") for one in said] == [None, ["engine"]]


# Models.


def test_a_fire_takes_the_digest_that_the_name_has_then(alone: Nightly, model: Path) -> None:
    alone.add(overlap=Overlap.QUEUE)
    alone.tick_at(TWO)
    before = alone.job_of(0).model["digest"]
    alone.end(0)

    def exchange(session: Any) -> None:
        session.get_one(Model, "boats").digest = "e" * 64

    alone.db.write(exchange)
    alone.tick_at(TWO + DAY)
    assert alone.job_of(1).model["digest"] == "e" * 64
    assert alone.job_of(0).model["digest"] == before != "e" * 64


def test_a_model_named_by_its_path_is_registered(alone: Nightly, model: Path) -> None:
    schedule = alone.add()
    assert rows.definition_of(schedule).request.terms.model == ("boats",)
    row = alone.db.read(lambda s: models.find_model(s, "boats"))
    assert (row.location, row.card["labels"]) == (str(model.resolve()), ["boat", "buoy"])
    alone.add("again")  # which finds it there
    (model / "model.pdiparams").write_bytes(b"other weights")
    with pytest.raises(UsageError, match="stands for another model"):
        alone.add("third")


def test_firing_reads_no_model_and_imports_no_opencv(
    alone: Nightly, model: Path, tmp_path: Path
) -> None:
    said = alone.request.but(model=("boats", "regatta_rowers"), threshold=0.5)
    alone.add("before")
    alone.add(request=said)
    for file in model.iterdir():
        file.unlink()
    program = tmp_path / "fire.py"
    program.write_text(f"""
import sys
opened = []
sys.addaudithook(lambda event, args: opened.append(str(args[0])) if event == "open" else None)
import scheduler.__main__
from scheduler.firing import Firing
from scheduler.submit import Draft, JobDefaults
from store.database import Database
db = Database({alone.db.url!r}, clock=lambda: {TWO})
Firing(db, JobDefaults({alone.defaults.objects!r}, 10, 20, 90)).tick()
print([name for name in ("cv2", "paddle") if name in sys.modules])
print(*(name for name in opened if name.endswith((".pdiparams", ".json", ".yml"))))
""")
    root = str(Path(__file__).parents[2])
    done = subprocess.run(
        [sys.executable, program],
        env={"PYTHONPATH": root},
        capture_output=True,
        text=True,
        check=True,
    )
    loaded, opened = done.stdout.splitlines()[-2:]
    assert loaded == "[]"
    assert [Path(each).name for each in opened.split()] == ["exports.json"]  # facts of shipped ones
    assert alone.states() == ["submitted"]
    job = alone.job_of(0)
    assert set(job.effective or {}) == {"boats", "regatta_rowers"}
