"""What Ctrl-C does while `run` waits: hand back what runs, and say how to go on."""

import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

from cli.session import running_shards, say
from core.errors import RetryableError
from core.states import ENDED_JOBS, JobState
from store import jobs
from store.database import Database
from store.jobs import get_job

_TICK_SECONDS = 0.1


def hand_back(db: Database, job_id: str, *, patience: float) -> None:
    """Pause a job and wait, at most `seconds`, until nothing of it runs.

    Another Ctrl-C leaves at once: by then the job is paused.
    """
    say("pausing; what runs is handed back (Ctrl-C once more leaves at once)")
    try:
        db.write(lambda s: jobs.pause(s, job_id, now=db.now(s)))
        until = time.monotonic() + patience
        while running_shards(db, job_id) and time.monotonic() < until:
            time.sleep(_TICK_SECONDS)
        state = db.read(lambda s: get_job(s, job_id).state)
    except KeyboardInterrupt:
        state = JobState.PAUSED
    except RetryableError as error:
        say(f"cannot pause: {error}")
        state = JobState.RUNNING
    if state in ENDED_JOBS:
        say(f"job {job_id} had just ended: {state}")
    else:
        say(f"go on with: regatta run --resume {job_id}")


@contextmanager
def terminate_as_interrupt() -> Iterator[None]:
    """Treat SIGTERM like Ctrl-C inside this context."""

    def interrupt(_number: int, _frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGTERM, interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
