"""Copies objects from an object store to this machine's disk."""

from contextlib import AbstractContextManager, closing
from itertools import islice
from pathlib import Path

from core.errors import UsageError
from registry.archives import LARGEST_BYTES, MOST_FILES
from registry.web import Progress
from store.files import FileObjects
from store.locations import open_store, split_location
from store.naming import naming

_PIECE = 1 << 20


def copy_object(location: str, to: Path, *, progress: Progress) -> None:
    """Write an object's content into a file.

    Raises:
        UsageError: there is none, it is too large, or its store refuses.
        RetryableError: its store can't be reached.
    """
    folder, key = split_location(location)
    with _reading(location):
        store = open_store(folder)
        total = store.head(key).size
        if total > LARGEST_BYTES:
            raise UsageError(f"{location} is larger than {LARGEST_BYTES:,} bytes")
        with closing(store.open(key)) as source, to.open("wb") as file:
            while piece := source.read(_PIECE):
                file.write(piece)
                progress(file.tell(), total)


def copy_folder(location: str, into: Path, *, progress: Progress) -> None:
    """Write every object below a prefix into a directory, under its relative name.

    Raises:
        UsageError: there are none, too many or too large ones, or their store refuses.
        RetryableError: their store can't be reached.
    """
    with _reading(location):
        store = open_store(location if location.endswith("/") else f"{location}/")
        found = list(islice(store.list(), MOST_FILES + 1))
        total = sum(info.size for info in found)
        if not found:
            raise UsageError(f"there is nothing below {location}", hint="check the prefix")
        if len(found) > MOST_FILES or total > LARGEST_BYTES:
            raise UsageError(
                f"{location} holds more than {MOST_FILES:,} objects or {LARGEST_BYTES:,} bytes",
                hint="name the prefix of the export alone",
            )
        target, done = FileObjects(into), 0
        for info in found:
            if info.key.endswith("/"):  # how consoles mark an empty folder
                continue
            with closing(store.open(info.key)) as source:
                target.put_stream(info.key, source)
            done += info.size
            progress(done, total)


def _reading(location: str) -> AbstractContextManager[None]:
    return naming(f"{location} cannot be read", hint="check the location, and that you may read it")
