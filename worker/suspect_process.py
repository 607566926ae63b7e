"""The isolated process, which has its own pipeline and runs ranges of one shard."""

import multiprocessing
import os
import signal
import threading
from multiprocessing.connection import Connection

import structlog

from config.logs import configure_logs
from config.settings import load_settings
from core.errors import RegattaError
from core.work import WorkUnit
from worker.assembly import build_pipeline
from worker.run import ShardRun

_NEVER = 1e9  # seconds: the parent keeps the lease


def serve(unit: WorkUnit, pipe: Connection) -> None:
    """Answer each list of items from the pipe with its rows or an error.

    The first message, before any request, is an empty list: the model is loaded.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent decides
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    threading.Thread(target=end_with_parent, name="orphan", daemon=True).start()
    settings = load_settings()
    configure_logs(settings)
    structlog.contextvars.bind_contextvars(job=unit.job, shard=unit.hold.shard)
    pipeline = build_pipeline(settings, predictors=1)
    try:
        model = pipeline.models.acquire(unit.model, unit.profile, unit.ways)
    except RegattaError as error:
        pipe.send(error)
        return
    pipe.send([])
    while True:
        try:
            items = pipe.recv()
        except EOFError:
            return
        run = ShardRun(unit, lease_seconds=_NEVER, margin=0.0)
        try:
            pipe.send(pipeline.rows(run, items, model))
        except RegattaError as error:
            pipe.send(error)


def end_with_parent() -> None:
    """Have this process end when the worker is killed: nobody else would end it if it hung."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)
