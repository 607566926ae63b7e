"""The isolated process, which runs ranges of one shard with stages of its own."""

import multiprocessing
import os
import signal
import threading
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from multiprocessing.connection import Connection

import structlog

from config.logs import configure_logs
from config.settings import Settings, load_settings
from core.errors import RegattaError
from core.items import ItemRef
from core.kinds import ShardKind
from core.work import WorkUnit
from predictions.answer import Legend
from store.parts import ResultRow
from worker.assembly import build_drawing, build_pipeline, patience_of, picture_memory
from worker.pipeline.drawn_rows import Rows
from worker.pipeline.soundness import check_again, warm_up
from worker.run import ShardRun
from worker.watchdog import Accused, Watchdog

_NEVER = 1e9  # seconds: the parent keeps the lease
_ALONE = 3.0  # times as much patience as with a picture among others


@dataclass(frozen=True, slots=True)
class _Runner:
    """How to run items, and how to run the networks so many times on nothing but good inputs."""

    rows: Callable[[ShardRun, Sequence[ItemRef]], list[ResultRow]]
    check: Callable[[ShardRun, int], None] = lambda _run, _times: None


@dataclass(frozen=True, slots=True)
class Tried:
    """The result for some items: their rows, and their models' legends (`ShardRun.legends`)."""

    rows: list[ResultRow] = field(default_factory=list)
    legends: Mapping[str, Legend] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Alive:
    """Says that the process is at work."""


@dataclass(frozen=True, slots=True)
class Overdue:
    """The items, by position, that take too long; the process ends with this message."""

    positions: tuple[int, ...]


class _Line:
    """The way to the parent, shared by the thread that works and the watchdog's."""

    def __init__(self, pipe: Connection) -> None:
        self._pipe = pipe
        self._lock = threading.Lock()

    def say(self, message: Tried | Alive | Overdue | RegattaError) -> None:
        """Send a message; if the parent is gone, this process soon is, too."""
        with self._lock, suppress(OSError):
            self._pipe.send(message)

    def accuse(self, accused: Accused) -> None:
        """Name the items that take too long."""
        positions = {item.index for items in accused.values() for item in items}
        self.say(Overdue(tuple(sorted(positions))))


def serve(unit: WorkUnit, pipe: Connection) -> None:
    """Answer each list of items from the pipe with what came of it, or an error.

    A number instead has the networks run as often on good inputs, as a control. The first message,
    before any request, is an empty one: what the items need is loaded. While it works, the process
    says so; it ends by itself if an item takes too long, having named it.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent decides
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    threading.Thread(target=end_with_parent, name="orphan", daemon=True).start()
    settings = load_settings()
    configure_logs(settings)
    structlog.contextvars.bind_contextvars(job=unit.job, shard=unit.hold.shard)
    line = _Line(pipe)
    try:
        runner = _RUNNERS[unit.kind](settings, unit)
    except RegattaError as error:
        line.say(error)
        return
    line.say(Tried())
    runs: list[ShardRun] = []
    Watchdog(
        lambda: runs,
        stall_seconds=settings.stall_seconds,
        look_seconds=min(1.0, settings.picture_seconds / 4),
        beat=lambda: line.say(Alive()),
        accuse=line.accuse,
    ).start()
    while True:
        try:
            items = pipe.recv()
        except EOFError:
            return
        patience = patience_of(settings).times(_ALONE)
        run = ShardRun(unit, lease_seconds=_NEVER, margin=0.0, patience=patience)
        runs[:] = [run]
        try:
            if isinstance(items, int):
                runner.check(run, items)
                line.say(Tried())
            else:
                rows = runner.rows(run, items)
                line.say(Tried(rows, run.legends))
        except RegattaError as error:
            line.say(error)
        runs.clear()


def _infers(settings: Settings, unit: WorkUnit) -> _Runner:
    pipeline = build_pipeline(settings, picture_memory(settings), predictors=1)
    model = pipeline.models.acquire(unit.model, unit.profile, unit.ways)
    for network in model.networks:
        warm_up(network)  # if it fails after that, an item may be to blame; else the device is

    def check(run: ShardRun, times: int) -> None:
        for network in model.networks:
            for _ in range(times):
                check_again(network)
                run.moved("control", 0.0)

    return _Runner(lambda run, items: pipeline.rows(run, items, model), check)


def _draws(settings: Settings, unit: WorkUnit) -> _Runner:
    drawing, source = build_drawing(settings, picture_memory(settings)), Rows.of(unit)
    return _Runner(lambda run, items: drawing.rows(run, items, source))


_RUNNERS: Mapping[ShardKind, Callable[[Settings, WorkUnit], _Runner]] = {
    ShardKind.INFER: _infers,
    ShardKind.RENDER: _draws,
}
"""How to run items, for each kind that may have suspects."""


def end_with_parent() -> None:
    """Have this process end when the worker is killed: nobody else would end it if it hung."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)
