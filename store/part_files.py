"""Reads parts where they lie; errors name the part and its place."""

from collections.abc import Iterator
from typing import Any

from core.errors import BadInputError, FatalError
from store.locations import absolute
from store.objects import ObjectStore
from store.parts import iter_rows

_MISSING = "source_missing"


def read_part(output: ObjectStore, key: str, location: str) -> bytes:
    """Return the content of a part of the output at a location.

    Raises:
        FatalError: it is missing, or cannot be read.
    """
    try:
        return output.get(key)
    except BadInputError as error:
        if error.reason != _MISSING:
            raise FatalError(f"{key} in {absolute(location)} cannot be read: {error}") from error
        raise FatalError(
            f"{key} is missing in {absolute(location)}",
            hint="if the output was moved, `regatta results FOLDER` reads it where it is now",
        ) from error


def printed_rows(part: bytes, key: str, location: str) -> Iterator[dict[str, Any]]:
    """Yield the rows of a part (`store.parts.iter_rows`); errors name the part and where it is."""
    try:
        yield from iter_rows(part)
    except FatalError as error:
        raise FatalError(f"{key} in {absolute(location)}: {error}", hint=error.hint) from error
