"""Loads models before the first shard arrives, so that it finds them warm."""

import time
from collections.abc import Callable, Iterable, Sequence

import numpy as np
import structlog

from core.errors import FatalError
from core.options import ModelRef
from core.profile import ExecutionProfile, Offered, best_choice, profile_on
from store.database import Database
from store.models import find_model, model_ref
from worker.models import Models, traits_in
from worker.networks.network import stacked
from worker.ways.chooser import WayChooser

_PICTURE = np.full((480, 640, 3), 127, np.uint8)

_log = structlog.get_logger()


def preload(
    db: Database,
    models: Models,
    chooser: WayChooser,
    names: Iterable[str],
    profile_of: Callable[[ModelRef], ExecutionProfile],
) -> None:
    """Load registered models in the way that is right for them, and run each predictor once.

    `profile_of` says what a model is to run on. The first inference allocates and compiles what
    later ones reuse. Call this before any other thread uses the models: a predictor is owned by one
    thread at a time.

    Raises:
        UsageError: there is no model of that name.
        FatalError: a model's files are missing or changed, or its engine can't load them.
    """
    refs = [_find(db, name) for name in names]  # all names before the first one is loaded
    for ref in refs:
        begun = time.monotonic()
        profile = profile_of(ref)
        model = models.acquire(ref, profile, chooser.choose_for(ref, profile))
        try:
            for resident in model.networks:
                prepared = resident.network.prepare(_PICTURE)
                feeds = stacked([prepared], resident.batch_size)
                for predictor in resident.predictors:
                    predictor.predict(feeds)
        finally:
            models.release(model)
        _log.info("model warm", model=ref.name, seconds=round(time.monotonic() - begun, 1))


def profile_here(
    ref: ModelRef, offered: Sequence[Offered], *, batch_size: int | None, jpeg_quality: int
) -> ExecutionProfile:
    """Return the profile that a model's job would get if this worker were the only one.

    Raises:
        FatalError: a network is missing, or the worker offers nothing.
    """
    networks = traits_in(ref)
    choice = best_choice([offered], networks)
    if choice is None:
        raise FatalError("this worker offers nothing to run a model on")
    return profile_on(choice, networks, batch_size=batch_size, jpeg_quality=jpeg_quality)


def _find(db: Database, name: str) -> ModelRef:
    return model_ref(db.read(lambda s: find_model(s, name)))
