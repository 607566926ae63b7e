"""Waits for a job and shows how it goes."""

import time
from collections.abc import Callable

from cli.show.progress import View
from config.settings import Settings
from core.states import ENDED_JOBS, RESTING_JOBS, JobState
from report.snapshot import Snapshot, snapshot
from store.database import Database

_TICK_SECONDS = 0.25


def watch(
    db: Database,
    settings: Settings,
    job_id: str,
    view: View,
    *,
    between: Callable[[], object] = lambda: None,
    until_rest: bool = False,
) -> Snapshot:
    """Show a job until it has ended (or was paused, with `until_rest`); return how it ended.

    `between` is called between any two looks.
    """
    states = RESTING_JOBS if until_rest else ENDED_JOBS
    while True:
        seen = snapshot(db, settings, job_id)
        view.show(seen)
        if JobState(seen["state"]) in states:
            return seen
        between()
        time.sleep(_TICK_SECONDS)
