"""Shows how much of a model has come, on a terminal."""

import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

from cli.session import say
from core.escape import printable
from registry.web import Progress


def is_shown() -> bool:
    """Whether anybody looks on."""
    return sys.stderr.isatty()


@contextmanager
def transfer(what: str) -> Iterator[Progress]:
    """Show a bar that moves; where nobody looks on, say once what comes and how much.

    Nothing is shown before something has come: directories of this machine have no way to go, and
    the hub shows bars of its own.
    """
    with ExitStack() as stack:
        yield _Transfer(what, stack)


class _Transfer:
    """See `registry.web.Progress`."""

    def __init__(self, what: str, stack: ExitStack) -> None:
        self._what = what
        self._stack = stack
        self._show: Progress | None = None

    def __call__(self, done: int, total: int | None) -> None:
        if self._show is None:
            self._show = self._bar() if is_shown() else self._announced(total)
        self._show(done, total)

    def _announced(self, total: int | None) -> Progress:
        size = "" if total is None else f" ({total:,} bytes)"
        say(f"getting {self._what}{size}")
        return lambda _done, _total: None

    def _bar(self) -> Progress:
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
        bars = bar.Progress(*columns, console=Console(stderr=True), transient=True)
        self._stack.enter_context(bars)
        name = self._what.rstrip("/").rpartition("/")[2]  # a whole address would leave no room
        task = bars.add_task(printable(name), total=None)
        return lambda done, total: bars.update(task, completed=done, total=total)
