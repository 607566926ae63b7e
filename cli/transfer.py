"""Shows how much of a model has come, on a terminal."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager

from cli.escape import printable
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
    from rich import progress as bar  # noqa: PLC0415
    from rich.console import Console  # noqa: PLC0415

    columns = (
        bar.TextColumn("{task.description}", markup=False),
        bar.BarColumn(),
        bar.DownloadColumn(),
        bar.TransferSpeedColumn(),
        bar.TimeRemainingColumn(),
    )
    with bar.Progress(*columns, console=Console(stderr=True), transient=True) as bars:
        task = bars.add_task(printable(what), total=None)
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
