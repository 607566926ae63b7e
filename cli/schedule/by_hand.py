"""Fires a schedule now, and follows the run if asked."""

import time

from cli.exit_codes import FAILED, OK, exit_code
from cli.schedule.wording import fire_records, outcome
from cli.session import say, warn_if_nobody_schedules
from cli.show.progress import progress_view, watch
from config.settings import Settings
from core.schedule import FireState
from scheduler.schedules import fire_by_hand
from store import fires
from store.database import Database
from store.tables import Schedule, ScheduleFire

_TICK_SECONDS = 0.25


def run_now(db: Database, settings: Settings, row: Schedule, *, wait: bool) -> int:
    """Let a schedule fire now; return the exit code, with `wait` that of the run's end.

    Raises:
        UsageError: the run before it has not ended.
    """
    fire = fire_by_hand(db, row)
    if FireState(fire.state) is FireState.QUEUED:
        say(f"schedule {row.name} fires once the run before it has ended, as job {fire.job_id}")
    else:
        say(f"schedule {row.name} fires now, as job {fire.job_id}")
    warn_if_nobody_schedules(db, settings)
    if not wait:
        return OK
    fire = _submitted(db, fire)
    if FireState(fire.state) in {FireState.SKIPPED, FireState.FAILED} or fire.job_id is None:
        say(f"schedule {row.name}: {outcome(fire, None, None)}")
        return FAILED
    with progress_view() as view:
        end = watch(db, settings, fire.job_id, view)
    [record] = db.read(lambda s: fire_records(s, [fire]))
    say(f"job {fire.job_id} {record['outcome']}")
    return exit_code(end["state"])


def _submitted(db: Database, fire: ScheduleFire) -> ScheduleFire:
    """Return a fire once it has brought a job, or never will; say what keeps it from it."""
    key = (fire.schedule_id, fire.due_at)
    said = None
    while True:
        now = db.read(lambda s: fires.get(s, key))
        if now is None:  # the schedule was removed
            return fire
        if FireState(now.state) not in {FireState.FIRING, FireState.QUEUED}:
            return now
        if now.why not in {None, said}:
            said = now.why
            say(f"it is tried again: {said}")
        time.sleep(_TICK_SECONDS)
