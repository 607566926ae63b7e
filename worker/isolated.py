"""The isolated process: an engine of its own for ranges of one shard."""

import signal
from multiprocessing.connection import Connection

from config.logs import configure_logs
from config.settings import load_settings
from core.errors import RegattaError
from core.work import WorkUnit
from worker.assembly import build_engine
from worker.run import ShardRun

_NEVER = 1e9  # seconds: the parent keeps the lease


def serve(unit: WorkUnit, pipe: Connection) -> None:
    """Answer each list of items that comes through the pipe with its rows, or with an error."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent decides
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    settings = load_settings()
    configure_logs(settings)
    engine = build_engine(settings, predictors=1)
    try:
        model = engine.models.acquire(unit.model, unit.profile)
    except RegattaError as error:
        pipe.recv()
        pipe.send(error)
        return
    while True:
        try:
            items = pipe.recv()
        except EOFError:
            return
        run = ShardRun(unit, lease_seconds=_NEVER, margin=0.0)
        try:
            pipe.send(engine.rows(run, items, model))
        except RegattaError as error:
            pipe.send(error)
