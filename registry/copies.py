"""Copies what lies in an object store to this machine's disk."""

from collections.abc import Iterator
from contextlib import closing, contextmanager
from itertools import islice
from pathlib import Path

from core.errors import BadInputError, FatalError, RetryableError, UsageError
from registry.archives import LARGEST_BYTES, MOST_FILES
from registry.web import Progress
from store.files import FileObjects
from store.locations import open_store, split_location

_PIECE = 1 << 20


def copy_object(location: str, to: Path, *, progress: Progress) -> None:
    """Write an object's content into a file.

    Raises:
        UsageError: There is none, it is too large, or its store can't be asked.
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
    """Write every object below a prefix into a directory, under its name there.

    Raises:
        UsageError: There is none, they are too many or too large, or their store can't be asked.
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
            if info.key.endswith("/"):  # how consoles show an empty folder
                continue
            with closing(store.open(info.key)) as source:
                target.put_stream(info.key, source)
            done += info.size
            progress(done, total)


@contextmanager
def _reading(location: str) -> Iterator[None]:
    """Say of which location it is that a store says something."""
    try:
        yield
    except (BadInputError, FatalError, RetryableError) as error:
        raise UsageError(
            f"{location} cannot be read: {error}",
            hint=error.hint or "see that the location is right and that you may read it",
        ) from error
