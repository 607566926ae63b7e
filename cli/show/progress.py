"""Shows a job until it ends: a line now and then, or a live bar (`cli.show.live`)."""

import sys
import time
from collections.abc import Callable
from types import TracebackType
from typing import Protocol, Self

from cli.session import say
from cli.show.wording import WARM_UP_SECONDS, beginning, progress_line, waiting_for
from config.settings import Settings
from core.states import ENDED_JOBS, RESTING_JOBS, JobState
from report.snapshot import Snapshot, snapshot
from store.database import Database

_LINE_SECONDS = 5.0


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
        self._next = float("-inf")
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
        begins = None if is_warm else beginning(snapshot)
        if begins not in {None, self._beginning}:
            say(f"  {begins}")
        self._beginning = begins


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
    """Show a job until it ends (or is paused, with `until_rest`); return its state.

    `between` is called between any two snapshots.
    """
    states = RESTING_JOBS if until_rest else ENDED_JOBS
    while True:
        seen = snapshot(db, settings, job_id)
        view.show(seen)
        if JobState(seen["state"]) in states:
            return seen
        between()
        time.sleep(_TICK_SECONDS)
