"""Reads parts where they lie; errors name the part and its place."""

from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa

from core.errors import BadInputError, FatalError
from store.locations import absolute, open_store, ranged
from store.objects import ObjectStore
from store.parquet import Readable
from store.parts import iter_rows, read_columns
from store.s3.location import is_s3

_MISSING = "source_missing"
_WHOLE_BYTES = 1 << 20  # objects up to this size come in one request, whatever is read of them


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


def part_columns(location: str, key: str, size: int | None, columns: Collection[str]) -> pa.Table:
    """Return some columns of a part of the output at a location; see `store.parts.read_columns`.

    Of a large part, only these columns are read; `size` is its bytes, if that is known.

    Raises:
        FatalError: it is missing, damaged, or cannot be read.
    """
    try:
        return read_columns(readable(location, key, size), columns)
    except FatalError as error:
        raise FatalError(f"{key} in {absolute(location)}: {error}", hint=error.hint) from error


def readable(location: str, key: str, size: int | None) -> Readable:
    """Return an object of an output in the form of which least is read for some of its columns.

    `size` is its bytes, if that is known.

    Raises:
        FatalError: it is missing, or cannot be read.
    """
    if is_s3(location):
        is_small = size is not None and size <= _WHOLE_BYTES
        file = None if is_small else ranged(location, key)
        return read_part(open_store(location), key, location) if file is None else file
    path = Path(absolute(location), key)
    return path if path.is_file() else read_part(open_store(location), key, location)
