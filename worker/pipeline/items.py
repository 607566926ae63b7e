"""Locates and fetches the items of a shard."""

from collections.abc import Mapping
from dataclasses import replace
from functools import lru_cache

from core.errors import BadInputError, FatalError
from core.items import ItemRef
from core.sources import Source, place_in
from core.work import WorkUnit
from store.locations import open_store, split_location

opened = lru_cache(maxsize=64)(open_store)
"""The store at a location, opened once in this process."""


def place_of(item: ItemRef, sources: Mapping[str, Source]) -> tuple[str, str]:
    """Return the location of the store that holds an item of a job, and the item's key there."""
    return split_location(item.uri) if item.uri else place_in(sources, item.key)


def fetch(item: ItemRef, unit: WorkUnit) -> bytes:
    """Return the bytes of a shard's item.

    Raises:
        BadInputError: it is missing, has changed since it was listed, or is too large.
        RegattaError: its store can't be reached.
    """
    root, key = place_of(item, unit.sources)
    limit = unit.options.limits.max_item_bytes
    try:
        # The object is checked only against what the listing knew; a text list knows no etag.
        return opened(root).get(key, if_match=item.etag, max_bytes=limit)
    except FatalError as error:
        if item.uri is None:
            raise
        # A line in the list names a bucket that doesn't exist; the job's own does.
        raise BadInputError("source_missing", f"{item.uri}: {error}") from error


def as_it_is_now(item: ItemRef, sources: Mapping[str, Source]) -> ItemRef:
    """Return an item as its store would list it now, or as it was if it is gone.

    Before a retry somebody may have repaired the item, so it must not be checked against the old
    listing. Items known only from a text list have no etag and stay as they are.

    Raises:
        RetryableError: the store can't be reached.
    """
    if item.etag is None:
        return item
    root, key = place_of(item, sources)
    try:
        found = open_store(root).head(key)
    except BadInputError:
        return item  # fetching it will say what is wrong
    return replace(item, size=found.size, etag=found.etag, modified=found.modified)
