"""The models that Regatta ships, under names that need not be registered."""

from collections.abc import Mapping
from functools import cache
from pathlib import Path

from sample.shipped import MODELS, SHOWN


@cache
def shipped_models() -> Mapping[str, Path]:
    """Return the place of each shipped model by its name: an export, or a composition's file."""
    places = {place.stem: place for place in SHOWN.values()}
    return places | {each.directory.name: each.directory for each in MODELS.values()}
