"""Shows how much of a model has come, on a terminal."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager

from cli.session import say
from store.progress import Progress


def is_shown() -> bool:
    """Whether anybody looks on."""
    return sys.stderr.isatty()


@contextmanager
def transfer(what: str) -> Iterator[Progress]:
    """Show a bar that moves; where nobody looks on, say once what is going on when it begins."""
    if not is_shown():
        yield _Announcement(what)
        return
    # Most commands need no drawing on terminals.
    from rich.console import Console  # noqa: PLC0415
    from rich.progress import BarColumn, DownloadColumn, TextColumn  # noqa: PLC0415
    from rich.progress import Progress as Bars  # noqa: PLC0415
    from rich.progress import TimeRemainingColumn, TransferSpeedColumn  # noqa: PLC0415

    columns = (TextColumn("{task.description}", markup=False), BarColumn(), DownloadColumn())
    console = Console(stderr=True)
    with Bars(
        *columns, TransferSpeedColumn(), TimeRemainingColumn(), console=console, transient=True
    ) as bars:
        task = bars.add_task(what, total=None)
        yield lambda done, total: bars.update(task, completed=done, total=total)


class _Announcement:
    """Says what comes once something has come."""

    def __init__(self, what: str) -> None:
        self._what: str | None = what

    def __call__(self, done: int, total: int | None) -> None:
        del done
        if self._what is not None:
            size = "" if total is None else f" ({total:,} bytes)"
            say(f"getting {self._what}{size}")
            self._what = None
