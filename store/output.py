"""A job's output read without any database: its manifest and its parts."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from core.errors import BadInputError, NewerError, UsageError
from core.layout import CARRIED, MANIFEST, RESULTS, part_order
from store.carried import origins
from store.committed import carried_rows
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
        named = self._named()
        self.is_whole = named is not None
        """Whether there is a manifest: without one, the job has not ended, or it was not copied."""
        self._parts = self._found() if named is None else named

    def rows(self) -> Iterator[dict[str, Any]]:
        """Yield the rows of all parts, in listing order; then those taken over from other jobs.

        Raises:
            FatalError: a part that the manifest names is missing, or one is damaged.
        """
        for key in self._parts.own:
            part = read_part(self._store, key, self._location)
            yield from printed_rows(part, key, self._location)
        for origin in origins(self._parts.carried):
            yield from carried_rows(origin)

    def _named(self) -> "_Parts | None":
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
            own = [str(part["key"]) for part in manifest["parts"]]
            carried = [
                (str(part.get("output", self._location)), str(part["key"]))
                for part in manifest.get("carried", ())
            ]
        except (ValueError, KeyError, TypeError, RecursionError) as error:
            raise UsageError(
                f"{MANIFEST} in {absolute(self._location)} is not that of a job's output"
            ) from error
        if version != _FORMAT:
            raise NewerError(f"{MANIFEST} of the format {version}")
        return _Parts(own, carried)

    def _found(self) -> "_Parts":
        """Return the parts that are there."""
        parts = self._listed(f"{RESULTS}part-")
        # Of each, the last attempt: earlier ones were overtaken.
        carried = {_place(key)[:1]: key for key in sorted(self._listed(CARRIED), key=_place)}
        if not parts and not carried:
            raise UsageError(
                f"there is no job's output in {absolute(self._location)}: neither {MANIFEST} nor "
                f"{RESULTS}part-*.parquet",
                hint="name the folder that holds both, or a job (`regatta jobs` lists them)",
            )
        return _Parts(
            sorted(parts, key=_place), [(self._location, key) for key in carried.values()]
        )

    def _listed(self, prefix: str) -> list[str]:
        try:
            found = [info.key for info in self._store.list(prefix)]
        except BadInputError as error:
            if error.reason != _MISSING:
                raise
            found = []
        return [key for key in found if key.endswith(".parquet")]


@dataclass(frozen=True, slots=True)
class _Parts:
    """The keys of an output's parts; and its carried manifests, as `store.carried` takes them."""

    own: Sequence[str]
    carried: Sequence[tuple[str, str]]


def _place(key: str) -> tuple[int, ...]:
    try:
        return part_order(key.partition("/part-")[2].removesuffix(".parquet"))
    except ValueError as error:
        raise UsageError(f"{key} is not the name of a part") from error
