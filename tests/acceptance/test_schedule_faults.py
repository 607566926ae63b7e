"""Schedulers that race over due times and are killed while they fire: each time brings one job."""

import random
import time
from pathlib import Path

import pytest
from sqlalchemy import select, update

from core.schedule import FireState
from core.states import JobState
from store.tables import Job, Schedule, ScheduleFire
from tests.acceptance.environment import SHORT_LEASES
from tests.acceptance.fleet import Fleet
from tests.acceptance.pictures import picture, write_picture
from tests.acceptance.prompt import Prompt

MINUTE = 60.0
MISSED = 8


@pytest.fixture
def photo(tmp_path: Path) -> Path:
    """A folder with one picture."""
    folder = tmp_path / "photos"
    folder.mkdir()
    write_picture(folder / "1.jpg", picture(1))
    return folder


def pull_back(fleet: Fleet, minutes: int) -> float:
    """Let all schedules' next times be so many whole minutes ago; return that time."""
    due = time.time() // MINUTE * MINUTE - minutes * MINUTE
    fleet.db.write(lambda s: s.execute(update(Schedule).values(next_at=due)))
    return due


def fires(fleet: Fleet) -> list[ScheduleFire]:
    return list(
        fleet.db.read(lambda s: s.scalars(select(ScheduleFire).order_by(ScheduleFire.due_at)).all())
    )


def jobs(fleet: Fleet) -> list[Job]:
    return list(fleet.db.read(lambda s: s.scalars(select(Job)).all()))


def add(fleet: Fleet, photo: Path, model: Path, *words: str) -> Prompt:
    """Add a schedule that fires every minute."""
    prompt = Prompt(fleet)
    every = ("--cron", "* * * * *", *words)
    prompt.does("schedule", "add", "minutely", photo, "--model", model, *every)
    return prompt


@pytest.mark.proof
@pytest.mark.parametrize("kind", ["fleet", "postgres_fleet"])
def test_schedulers_that_race_and_are_killed_bring_one_job_for_each_time(
    request: pytest.FixtureRequest, kind: str, photo: Path, model: Path
) -> None:
    """Killed at random moments; `tests/integration/test_killed_firing.py` kills at every step."""
    fleet: Fleet = request.getfixturevalue(kind)
    fleet.settings |= SHORT_LEASES
    prompt = add(fleet, photo, model, "--catch-up", "all", "--overlap", "queue")
    first = pull_back(fleet, MISSED)
    fleet.start(schedulers=0)
    rng = random.Random(15)
    racing = [fleet.start_scheduler() for _ in range(2)]
    for turn in range(10):
        time.sleep(rng.uniform(0.2, 1.2))
        fleet.kill(racing[turn % 2])
        racing[turn % 2] = fleet.start_scheduler()
    fleet.until(lambda: len(fires(fleet)) > MISSED, "all times have fired")
    prompt.does("schedule", "pause", "minutely")

    def all_ended() -> bool:
        ended = {JobState.SUCCEEDED}
        states = {fire.state for fire in fires(fleet)}
        return states == {FireState.SUBMITTED} and {job.state for job in jobs(fleet)} == ended

    # A schedule that is paused lets no queued run begin.
    prompt.does("schedule", "resume", "minutely")
    fleet.until(all_ended, "every time's job has ended")
    prompt.does("schedule", "pause", "minutely")
    known = fires(fleet)
    assert [fire.due_at for fire in known] == [
        first + number * MINUTE for number in range(len(known))
    ]
    assert len({fire.job_id for fire in known}) == len(known)
    assert sorted(job.id for job in jobs(fleet)) == sorted(str(fire.job_id) for fire in known)


@pytest.mark.proof
def test_a_scheduler_that_dies_is_followed_within_seconds(
    fleet: Fleet, photo: Path, model: Path
) -> None:
    fleet.settings |= SHORT_LEASES
    fleet.start(schedulers=0)
    doomed, _ = fleet.start_scheduler(), fleet.start_scheduler()
    fleet.until(lambda: len(fleet.processes("scheduler")) == 2, "both are up")
    prompt = add(fleet, photo, model)
    pull_back(fleet, 0)
    fleet.until(lambda: fires(fleet), "the time has fired")
    fleet.kill(doomed)
    begun = time.monotonic()
    job = fleet.until(lambda: next(iter(jobs(fleet)), None), "its job is written")
    assert time.monotonic() - begun < 15  # a fire that somebody had taken is free after 10
    assert fleet.until_ended(job.id).state is JobState.SUCCEEDED
    assert time.monotonic() - begun < 30
    prompt.does("schedule", "pause", "minutely")
    history = prompt.does("schedule", "history", "minutely", "--format", "ndjson").splitlines()
    assert len(history) == len(fires(fleet))
