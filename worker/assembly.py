"""Builds a worker's pipeline from the settings."""

from dataclasses import replace

import cv2

from config.machine import available_cores, available_memory
from config.settings import Settings
from store.locations import use_s3
from store.s3.options import S3Options
from worker.engines.registry import engines_named
from worker.memory import keep_freed_memory
from worker.models import Models
from worker.pipeline.budget import MIB, PictureMemory
from worker.pipeline.drawing import Drawing
from worker.pipeline.pipeline import Pipeline, Threads
from worker.steps import Patience


def patience_of(settings: Settings) -> Patience:
    """Return how long steps of pictures may take, by the settings."""
    return Patience(
        settings.picture_seconds, settings.megapixel_seconds, batch=settings.stall_seconds
    )


def picture_memory(settings: Settings) -> PictureMemory:
    """Return the memory for pictures that a process's pipeline and drawing share."""
    return PictureMemory(settings.picture_megabytes * MIB)


def build_pipeline(
    settings: Settings, memory: PictureMemory, *, predictors: int | None = None
) -> Pipeline:
    """Return a running pipeline.

    On CPU, one single-threaded predictor per core beats one predictor with many threads, and as
    many decoders keep them fed; threads that mostly wait for storage come on top. From here on,
    this process opens its stores as the settings say.

    Raises:
        UsageError: an engine named in the settings can't be used.
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
        memory,
    )


def build_drawing(settings: Settings, memory: PictureMemory) -> Drawing:
    """Return running stages that draw from rows; opens stores as `build_pipeline` does."""
    _use_stores(settings)
    use_process()
    cores = settings.decode_threads or settings.cores or available_cores()
    threads = settings.transfer_threads
    return Drawing(fetch=threads, draw=cores, upload=threads, memory=memory)


def _use_stores(settings: Settings) -> None:
    # One connection per thread that moves objects: those that fetch and upload, in pipeline and
    # drawing, and the shards' own.
    connections = 4 * settings.transfer_threads + settings.concurrency
    use_s3(replace(S3Options(**settings.s3), connections=connections))


def use_process() -> None:
    """Tune this process's libraries for a pipeline; nothing else in the process is affected."""
    keep_freed_memory()
    # The stages have threads enough; cv2's own would only wait for each other.
    cv2.setNumThreads(1)
