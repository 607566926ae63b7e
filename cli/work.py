"""Runs the stack until one job has ended."""

import time

from cli.interrupt import hand_back
from cli.session import say
from cli.show.progress import progress_view, watch
from cli.stack.embedded import Stack
from config.settings import Settings
from core.errors import RegattaError
from core.repeats import Repeats
from core.states import JobState
from report.snapshot import Snapshot
from store import notifications
from store.database import Database

_LOOK_SECONDS = 2.0
_TELL_SECONDS = 20.0
_TELL_LOOK_SECONDS = 0.1


def work(db: Database, settings: Settings, job_id: str) -> Snapshot | None:
    """Run the stack until the job ends; return None if it was interrupted, or paused by others.

    Raises:
        RegattaError: the job paused by itself, or the stack cannot be started.
    """
    try:
        with Stack(settings, say) as stack:
            try:
                with progress_view() as view:
                    end = watch(
                        db,
                        settings,
                        job_id,
                        view,
                        between=_Look(stack).now_and_then,
                        until_rest=True,
                    )
                _let_tell(db, job_id)
            except KeyboardInterrupt:
                hand_back(db, job_id, patience=settings.drain_seconds)
                return None
    except KeyboardInterrupt:  # while the stack was starting: nothing runs yet
        hand_back(db, job_id, patience=0.0)
        return None
    if end["state"] == JobState.PAUSED:
        if end["error"]:  # it paused by itself
            raise RegattaError(f"job {job_id} is paused: {end['error']}")
        say(f"job {job_id} was paused; go on with: regatta run --resume {job_id}")
        return None
    return end


def _let_tell(db: Database, job_id: str) -> None:
    """Let the scheduler tell those who asked for it that the job ended, before the stack goes."""
    until = time.monotonic() + _TELL_SECONDS
    while db.read(lambda s: notifications.untried(s, job_id)) and time.monotonic() < until:
        time.sleep(_TELL_LOOK_SECONDS)
    for each in db.read(lambda s: notifications.notifications_of(s, job_id)):
        if each.state == notifications.PENDING:
            why = f": {each.error}" if each.error else ""
            say(f"{each.receiver} is not told yet{why}; the next scheduler of this home will try")
        elif each.state != notifications.DELIVERED:
            say(f"{each.receiver} was not told: {each.error}")


class _Look:
    """Checks now and then that the stack is still there, and starts it again if it is not."""

    def __init__(self, stack: Stack) -> None:
        self._stack = stack
        self._next = time.monotonic() + _LOOK_SECONDS
        self._repeats = Repeats()

    def now_and_then(self) -> None:
        if time.monotonic() < self._next:
            return
        self._next = time.monotonic() + _LOOK_SECONDS
        try:
            self._stack.ensure()
        except RegattaError as error:
            if self._repeats.due(str(error)) is not None:
                say(f"{error}; trying again")
