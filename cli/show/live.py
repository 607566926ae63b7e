"""A job's progress as a bar that moves, on a terminal."""

import time
from types import TracebackType
from typing import Self

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from cli.show.wording import (
    WARM_UP_SECONDS,
    beginning,
    done_of,
    eta_between,
    queue_line,
    stages_line,
    tallied,
    waiting_for,
    worker_line,
)
from core.escape import printable
from core.kinds import ShardKind
from core.states import JobState
from core.wording import count, duration, speed
from report.snapshot import Snapshot

_BAR_WIDTH = 36
_WORKERS_SHOWN = 12
_STYLES = {"succeeded": "green", "partial": "yellow", "failed": "red", "paused": "yellow"}


class LiveView:
    """A bar that moves, on a terminal's stderr."""

    def __init__(self) -> None:
        self._started = time.monotonic()
        self._live = Live(console=Console(stderr=True), refresh_per_second=8, transient=True)

    def __enter__(self) -> Self:
        self._live.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Release the terminal."""
        self._live.stop()

    def show(self, snapshot: Snapshot) -> None:
        """Redraw the bar."""
        is_warm = time.monotonic() - self._started > WARM_UP_SECONDS
        self._live.update(render(snapshot, is_warm=is_warm))


def render(snapshot: Snapshot, *, is_warm: bool) -> Group:
    """Return a job's progress as a few lines for a terminal."""
    items, state = snapshot["items"], snapshot["state"]
    planning = state == JobState.PLANNING
    listed, done, what = items["listed"], done_of(snapshot), "items"
    if snapshot.get("kind") == ShardKind.COMPACT:
        listed, done, what = sum(snapshot["shards"].values()), snapshot["shards"]["done"], "shards"
    line = Table.grid(padding=(0, 2))
    line.add_row(
        Text(state, style=_STYLES.get(state, "cyan")),
        ProgressBar(total=max(1, listed), completed=done, width=_BAR_WIDTH, pulse=not listed),
        Text(f"{done:,}/{listed:,}{'+' if planning else ''} {what}" if listed else "listing"),
        Text(speed(snapshot["rate"])),
        Text(f"ETA {duration(snapshot['eta_seconds'])}"),
        Text(f"{items['quarantined']:,} quarantined", style="red" if items["quarantined"] else ""),
    )
    shards = f"{snapshot['id']} {printable(snapshot['name'])}: {_shards(snapshot)}"
    if between := eta_between(snapshot):  # the first line has no room for it at 80 columns
        shards += f", ETA {between}"
    lines: list[RenderableType] = [
        line,
        Text(shards, style="dim", overflow="ellipsis", no_wrap=True),
    ]
    if stages := stages_line(snapshot):
        lines.append(Text(f"work: {stages}", style="dim"))
    if (is_warm or snapshot["trouble"]) and (waiting := waiting_for(snapshot)):
        lines.append(Text(waiting, style="yellow"))
    elif begins := beginning(snapshot):
        lines.append(Text(begins, style="dim"))
    if fleet := snapshot.get("fleet"):
        lines += [_fleet_line(f"queue {queue_line(one)}") for one in fleet["queues"]]
        shown = fleet["workers"][:_WORKERS_SHOWN]
        lines += [_fleet_line(f"worker {worker_line(one)}") for one in shown]
        if more := len(fleet["workers"]) - len(shown):
            lines.append(_fleet_line(f"and {count(more, 'more worker')}"))
    return Group(*lines)


def _fleet_line(text: str) -> Text:
    return Text(printable(text), style="dim", overflow="ellipsis", no_wrap=True)


def _shards(snapshot: Snapshot) -> str:
    shards = snapshot["shards"]
    return f"{count(sum(shards.values()), 'shard')} ({tallied(shards)})"
