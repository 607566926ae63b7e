"""Puts a worker together from the settings."""

from dataclasses import replace

import cv2

from config.machine import available_cores, available_memory
from config.settings import Settings
from store.locations import use_s3
from store.s3.options import S3Options
from worker.engines.registry import engines_named
from worker.memory import keep_freed_memory
from worker.models import Models
from worker.pipeline.drawing import Drawing
from worker.pipeline.pipeline import Pipeline, Threads


def build_pipeline(settings: Settings, *, predictors: int | None = None) -> Pipeline:
    """Return a running pipeline.

    One single-threaded predictor per core beats one with many threads on CPU, and as many
    decoders keep them fed; threads that mostly wait for storage come on top. This process's
    stores are opened as the settings say from here on.

    Raises:
        UsageError: an engine that the settings name cannot be used.
    """
    fetch = upload = settings.transfer_threads
    _use_stores(settings)
    cores = settings.cores or available_cores()
    replicas = predictors or settings.predictors or cores
    decoders = settings.decode_threads or cores
    use_process()
    return Pipeline(
        Models(
            engines_named(settings.engines),
            replicas=replicas,
            memory_bytes=int(available_memory() * settings.model_memory),
        ),
        Threads(fetch=fetch, decode=decoders, predict=replicas, finish=decoders, upload=upload),
    )


def build_drawing(settings: Settings) -> Drawing:
    """Return running stages that draw from rows; this process's stores are as `build_pipeline`."""
    _use_stores(settings)
    use_process()
    cores = settings.decode_threads or settings.cores or available_cores()
    threads = settings.transfer_threads
    return Drawing(fetch=threads, draw=cores, upload=threads)


def _use_stores(settings: Settings) -> None:
    # A connection for each thread that moves objects: those that fetch and upload, of pipeline and
    # drawing, and the shards' own.
    connections = 4 * settings.transfer_threads + settings.concurrency
    use_s3(replace(S3Options(**settings.s3), connections=connections))


def use_process() -> None:
    """Have this process's libraries serve a pipeline; nothing else of the process minds."""
    keep_freed_memory()
    # Stages have threads enough; more of cv2's for one picture would only wait for each other.
    cv2.setNumThreads(1)
