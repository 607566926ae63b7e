"""Puts a worker together from the settings."""

from config.cores import available_cores
from config.settings import Settings
from worker.engine import Engine, Threads
from worker.models import Models, engine_module


def build_engine(settings: Settings, *, predictors: int | None = None) -> Engine:
    """Return a running engine.

    One single-threaded predictor per core beats one with many threads on CPU, and as many
    decoders keep them fed; threads that mostly wait for storage come on top.

    Raises:
        UsageError: the engine that the settings name cannot be used.
    """
    cores = settings.cores or available_cores()
    replicas = predictors or settings.predictors or cores
    decoders = settings.decode_threads or cores
    return Engine(
        Models(engine_module(settings.engine), replicas=replicas),
        Threads(fetch=4, decode=decoders, predict=replicas, finish=decoders, upload=4),
    )
