"""Shows a job until it ends: a line now and then, or a live bar (`cli.show.live`)."""

import sys
import time
from collections.abc import Callable
from types import TracebackType
from typing import Protocol, Self

from cli.session import say
from cli.show.wording import (
    WARM_UP_SECONDS,
    beginning,
    progress_line,
    queue_line,
    waiting_for,
    worker_line,
)
from config.settings import Settings
from core.states import ENDED_JOBS, RESTING_JOBS, JobState
from report.fleet import Fleet, fleet
from report.snapshot import Snapshot, snapshot
from store.database import Database

_LINE_SECONDS = 5.0
_FLEET_SECONDS = 30.0


class View(Protocol):
    """Something that shows snapshots of one job, one after another."""

    def __enter__(self) -> Self: ...

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None: ...

    def show(self, snapshot: Snapshot) -> None:
        """Show the newest snapshot."""
        ...


def progress_view() -> View:
    """Return the view that suits stderr."""
    if not sys.stderr.isatty():
        return LineView()
    from cli.show.live import LiveView  # noqa: PLC0415 - most commands need no drawing on terminals

    return LiveView()


class LineView:
    """A line on stderr whenever the state changes, and every few seconds.

    `monotonic` is the clock; tests pass their own.
    """

    def __init__(self, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._monotonic = monotonic
        self._started = monotonic()
        self._next = self._next_fleet = float("-inf")
        self._state = ""
        self._beginning: str | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Leave nothing behind."""

    def show(self, snapshot: Snapshot) -> None:
        """Print a line if it is time."""
        now = self._monotonic()
        is_warm = now - self._started > WARM_UP_SECONDS
        if snapshot["state"] != self._state or now >= self._next:
            self._state, self._next = snapshot["state"], now + _LINE_SECONDS
            say(progress_line(snapshot))
            if (is_warm or snapshot["trouble"]) and (waiting := waiting_for(snapshot)):
                say(f"  {waiting}")
            self._show_fleet(snapshot, now)
        begins = None if is_warm else beginning(snapshot)
        if begins not in {None, self._beginning}:
            say(f"  {begins}")
        self._beginning = begins

    def _show_fleet(self, snapshot: Snapshot, now: float) -> None:
        if "fleet" not in snapshot or now < self._next_fleet:
            return
        self._next_fleet = now + _FLEET_SECONDS
        for queue in snapshot["fleet"]["queues"]:
            say(f"  queue {queue_line(queue)}")
        for worker in snapshot["fleet"]["workers"]:
            say(f"  worker {worker_line(worker)}")


_TICK_SECONDS = 0.25


def fleet_of(db: Database, settings: Settings) -> Fleet:
    """Return the queues and the workers at this moment."""
    return db.read(lambda s: fleet(s, now=db.now(s), within=settings.lease_seconds))


def watch(
    db: Database,
    settings: Settings,
    job_id: str,
    view: View,
    *,
    between: Callable[[], object] = lambda: None,
    until_rest: bool = False,
    with_fleet: bool = False,
) -> Snapshot:
    """Show a job until it ends (or is paused, with `until_rest`); return its state.

    `between` is called between any two snapshots. With `with_fleet`, queues and workers are shown
    as well.
    """
    states = RESTING_JOBS if until_rest else ENDED_JOBS
    while True:
        seen = snapshot(db, settings, job_id)
        view.show({**seen, "fleet": fleet_of(db, settings)} if with_fleet else seen)
        if JobState(seen["state"]) in states:
            return seen
        between()
        time.sleep(_TICK_SECONDS)
