"""From the options of `submit` and `run` to a job request."""

from collections.abc import Mapping, Sequence
from typing import Any

import click

from config.settings import Settings
from core.selection import Selection
from core.slicing import Slicing
from scheduler.submit import JobDefaults, JobRequest

_SELECTION = ("include", "exclude", "min_size", "max_size", "since", "limit")
_JOB = (
    "detector",
    "background",
    "polygons",
    "output",
    "name",
    "threshold",
    "annotate",
    "alpha",
    "priority",
    "tags",
    "shard_items",
    "batch_size",
)


def job_request(
    source: str | None, models: Sequence[str], options: Mapping[str, Any]
) -> JobRequest:
    """Return the request that a command's options make.

    Raises:
        click.UsageError: the source or the model is missing.
    """
    ctx = click.get_current_context(silent=True)
    if not source:
        raise click.UsageError("Missing argument 'SOURCE'.", ctx)
    if not models:
        raise click.UsageError("Missing option '--model'.", ctx)
    selection = Selection(**{name: options[name] for name in _SELECTION})
    chosen = {name: options[name] for name in _JOB}
    model, *more = models
    slicing = None
    if options["tile"] is not None:
        width, height = options["tile"]
        slicing = Slicing(width, height, options["overlap"], options["merge"])
    return JobRequest(
        source, model, selection=selection, slicing=slicing, more_models=tuple(more), **chosen
    )


def job_defaults(settings: Settings) -> JobDefaults:
    """Return what the settings say about jobs."""
    return JobDefaults(
        objects=settings.objects,
        max_pixels=settings.max_pixels,
        max_item_bytes=settings.max_item_bytes,
        jpeg_quality=settings.jpeg_quality,
        batch_size=settings.batch_size,
        shard_items=settings.shard_items,
    )
