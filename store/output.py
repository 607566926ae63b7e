"""A job's output read without any database: its manifest and its parts."""

import json
from collections.abc import Iterator
from typing import Any

from core.errors import BadInputError, NewerError, UsageError
from core.layout import MANIFEST, RESULTS, part_order
from store.locations import absolute, open_store
from store.part_files import printed_rows, read_part

_MISSING = "source_missing"
_LARGEST_MANIFEST = 256 << 20  # bytes; it has some hundred for each part of thousands of items
_FORMAT = 1


class Output:
    """What a job left under its output prefix, read without any database."""

    def __init__(self, location: str) -> None:
        """Look at the output at a location.

        Raises:
            UsageError: no job's output is there.
            NewerError: a newer version wrote it.
        """
        self._location = location
        self._store = open_store(location)
        keys = self._named()
        self.is_whole = keys is not None
        """Whether there is a manifest: without one, the job has not ended, or it was not copied."""
        self._keys = self._found() if keys is None else keys

    def rows(self) -> Iterator[dict[str, Any]]:
        """Yield the rows of all parts, in listing order.

        Raises:
            FatalError: a part that the manifest names is missing, or one is damaged.
        """
        for key in self._keys:
            part = read_part(self._store, key, self._location)
            yield from printed_rows(part, key, self._location)

    def _named(self) -> list[str] | None:
        """Return the parts that the manifest names; None if there is no manifest."""
        try:
            data = self._store.get(MANIFEST, max_bytes=_LARGEST_MANIFEST)
        except BadInputError as error:
            if error.reason == _MISSING:
                return None
            raise
        try:
            manifest = json.loads(data)
            version = manifest["format"]
            keys = [str(part["key"]) for part in manifest["parts"]]
        except (ValueError, KeyError, TypeError, RecursionError) as error:
            raise UsageError(
                f"{MANIFEST} in {absolute(self._location)} is not that of a job's output"
            ) from error
        if version != _FORMAT:
            raise NewerError(f"{MANIFEST} of the format {version}")
        return keys

    def _found(self) -> list[str]:
        """Return the parts that are there."""
        try:
            found = [info.key for info in self._store.list(f"{RESULTS}part-")]
        except BadInputError as error:
            if error.reason != _MISSING:
                raise
            found = []
        parts = [key for key in found if key.endswith(".parquet")]
        if not parts:
            raise UsageError(
                f"there is no job's output in {absolute(self._location)}: neither {MANIFEST} nor "
                f"{RESULTS}part-*.parquet",
                hint="name the folder that holds both, or a job (`regatta jobs` lists them)",
            )
        return sorted(parts, key=_place)


def _place(key: str) -> tuple[int, ...]:
    try:
        return part_order(key.removeprefix(f"{RESULTS}part-").removesuffix(".parquet"))
    except ValueError as error:
        raise UsageError(f"{key} is not the name of a part") from error
