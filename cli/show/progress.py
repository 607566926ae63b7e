"""Shows a job while it runs: a line now and then, or a live bar on a terminal (`cli.show.live`)."""

import sys
import time
from collections.abc import Callable
from types import TracebackType
from typing import Protocol, Self

from cli.session import say
from cli.show.wording import WARM_UP_SECONDS, beginning, progress_line, waiting_for
from report.snapshot import Snapshot

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

    `monotonic` is the clock, for tests.
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
            if is_warm and (waiting := waiting_for(snapshot)):
                say(f"  {waiting}")
        begins = None if is_warm else beginning(snapshot)
        if begins not in {None, self._beginning}:
            say(f"  {begins}")
        self._beginning = begins
