"""The text of a truth file, whoever wrote it."""

from core.errors import BadInputError, UsageError
from store.locations import open_store, split_location

MOST_BYTES = 2**31
"""Larger files are refused: what is made of one has to fit into memory several times."""


def text_at(location: str) -> str:
    """Return the text of a file or object; a byte order mark is no part of it.

    Raises:
        UsageError: it does not exist, is too large, or is not UTF-8.
    """
    folder, name = split_location(location)
    try:
        data = open_store(folder).get(name, max_bytes=MOST_BYTES)
    except BadInputError as error:
        raise UsageError(f"{location} cannot be read: {error}") from error
    return decoded(data, location)


def decoded(data: bytes, location: str) -> str:
    """Return bytes as text.

    Raises:
        UsageError: they are not UTF-8.
    """
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise UsageError(
            f"{location}, line {line}: byte {error.start:,} is not UTF-8",
            hint="save the file as UTF-8",
        ) from error
