"""Where an item lies, and what is there by now."""

from dataclasses import replace

from core.errors import BadInputError
from core.items import ItemRef
from store.locations import open_store, split_location


def place_of(item: ItemRef, source: str) -> tuple[str, str]:
    """Return the location of the store that an item of a job over `source` lies in, and its key."""
    return split_location(item.uri) if item.uri else (source, item.key)


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
