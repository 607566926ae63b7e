"""The isolated process, which runs ranges of one shard with stages of its own."""

import multiprocessing
import os
import signal
import threading
from collections.abc import Callable, Mapping, Sequence
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
from worker.assembly import build_drawing, build_pipeline, picture_memory
from worker.pipeline.drawn_rows import Rows
from worker.run import ShardRun

_NEVER = 1e9  # seconds: the parent keeps the lease

_Runner = Callable[[ShardRun, Sequence[ItemRef]], list[ResultRow]]


@dataclass(frozen=True, slots=True)
class Tried:
    """The result for some items: their rows, and their models' legends (`ShardRun.legends`)."""

    rows: list[ResultRow] = field(default_factory=list)
    legends: Mapping[str, Legend] = field(default_factory=dict)


def serve(unit: WorkUnit, pipe: Connection) -> None:
    """Answer each list of items from the pipe with what came of it, or an error.

    The first message, before any request, is an empty one: what the items need is loaded.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent decides
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    threading.Thread(target=end_with_parent, name="orphan", daemon=True).start()
    settings = load_settings()
    configure_logs(settings)
    structlog.contextvars.bind_contextvars(job=unit.job, shard=unit.hold.shard)
    try:
        runner = _RUNNERS[unit.kind](settings, unit)
    except RegattaError as error:
        pipe.send(error)
        return
    pipe.send(Tried())
    while True:
        try:
            items = pipe.recv()
        except EOFError:
            return
        run = ShardRun(unit, lease_seconds=_NEVER, margin=0.0)
        try:
            rows = runner(run, items)
            pipe.send(Tried(rows, run.legends))
        except RegattaError as error:
            pipe.send(error)


def _infers(settings: Settings, unit: WorkUnit) -> _Runner:
    pipeline = build_pipeline(settings, picture_memory(settings), predictors=1)
    model = pipeline.models.acquire(unit.model, unit.profile, unit.ways)
    return lambda run, items: pipeline.rows(run, items, model)


def _draws(settings: Settings, unit: WorkUnit) -> _Runner:
    drawing, source = build_drawing(settings, picture_memory(settings)), Rows.of(unit)
    return lambda run, items: drawing.rows(run, items, source)


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
