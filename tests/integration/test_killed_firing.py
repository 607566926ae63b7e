"""A scheduler is killed while it fires, at each step: the time is neither lost nor done twice."""

import signal
import subprocess
import sys
from pathlib import Path

import pytest

from core.request import JobRequest
from core.schedule import Schedule
from scheduler import schedules
from scheduler.firing import Firing
from scheduler.submit import JobDefaults
from store import jobs
from store import schedules as rows
from tests.bench import Bench

DUE = 1_767_571_200.0 + 3600
PROGRAM = """
import os, signal, sys
from scheduler import firing, submit
from scheduler.firing import Firing
from scheduler.submit import JobDefaults
from store import fires
from store.database import Database

url, objects, due, room, name, when = sys.argv[1:]
place = {"fires": fires, "firing": firing, "submit": submit, "Firing": Firing}[room]
step = getattr(place, name)

def killed(*args, **more):
    if when == "after":
        step(*args, **more)
    os.kill(os.getpid(), signal.SIGKILL)

setattr(place, name, killed)
Firing(Database(url, clock=lambda: float(due)), JobDefaults(objects, 10, 20, 90)).tick()
"""
STEPS = [
    ("Firing", "fire", "before"),
    ("fires", "fire", "after"),  # in the transaction, before it commits
    ("Firing", "fire", "after"),
    ("fires", "take", "after"),
    ("Firing", "take", "after"),
    ("firing", "check", "after"),
    ("submit", "usable_output", "after"),
    ("fires", "submitted", "after"),
    ("submit", "_write", "after"),
    ("firing", "accept_as", "after"),
]


@pytest.mark.proof
@pytest.mark.parametrize("step", STEPS, ids=" ".join)
def test_a_time_whose_scheduler_was_killed_brings_one_job(
    bench: Bench, tmp_path: Path, step: tuple[str, str, str]
) -> None:
    photos = tmp_path / "photos"
    photos.mkdir()
    (photos / "a.jpg").write_bytes(b"x")
    bench.clock.now = DUE - 3600
    defaults = JobDefaults(str(tmp_path / "outputs"), 10, 20, 90)
    request = JobRequest.of(str(photos), "regatta_fcos_384")
    drafted = schedules.drafted(bench.db, Schedule("0 1 * * *", "UTC", request), defaults)
    schedule = schedules.add(bench.db, "nightly", drafted)

    arguments = [bench.db.url, defaults.objects, str(DUE), *step]
    root = str(Path(__file__).parents[2])
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, *arguments], env={"PYTHONPATH": root}, check=False
    )
    assert done.returncode == -signal.SIGKILL

    known = bench.db.read(lambda s: rows.fires_of(s, schedule.id))
    for seconds in (1, 11, 22):
        bench.clock.now = DUE + seconds
        Firing(bench.db, defaults).tick()
    [fire] = bench.db.read(lambda s: rows.fires_of(s, schedule.id))
    assert (fire.state, fire.due_at) == ("submitted", DUE)
    assert [job.id for job in bench.db.read(jobs.list_jobs)] == [fire.job_id]
    assert [each.job_id for each in known] in ([], [fire.job_id])
