"""Where an item lies, and what is there by now."""

from dataclasses import replace
from functools import lru_cache

from core.errors import BadInputError, FatalError
from core.items import ItemRef
from core.work import WorkUnit
from store.locations import open_store, split_location

opened = lru_cache(maxsize=64)(open_store)
"""The store at a location, opened once in this process."""


def place_of(item: ItemRef, source: str) -> tuple[str, str]:
    """Return the location of the store that an item of a job over `source` lies in, and its key."""
    return split_location(item.uri) if item.uri else (source, item.key)


def fetch(item: ItemRef, unit: WorkUnit) -> bytes:
    """Return the bytes of an item of a shard.

    Raises:
        BadInputError: it is gone, has changed since it was listed, or is too large.
        RegattaError: its store could not be asked.
    """
    root, key = place_of(item, unit.source)
    limit = unit.options.limits.max_item_bytes
    try:
        # Only what the listing knew can be held against the object: a list knows no etag.
        return opened(root).get(key, if_match=item.etag, max_bytes=limit)
    except FatalError as error:
        if item.uri is None:
            raise
        # One line of a list names a bucket that does not exist: the job's own does.
        raise BadInputError("source_missing", f"{item.uri}: {error}") from error


def as_it_is_now(item: ItemRef, source: str) -> ItemRef:
    """Return an item as its store would list it now, or as it was if it is gone.

    A retry runs what a person may have mended meanwhile, so the listing of then must not be held
    against it. What is known from a list only has no etag and stays as it is.

    Raises:
        RetryableError: the store could not be asked.
    """
    if item.etag is None:
        return item
    root, key = place_of(item, source)
    try:
        found = open_store(root).head(key)
    except BadInputError:
        return item  # fetching it says what is wrong
    return replace(item, size=found.size, etag=found.etag, modified=found.modified)
