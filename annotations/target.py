"""Where an export goes: it is there completely, or not at all."""

import json
import os
import shutil
import tempfile
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, BinaryIO, Protocol
from uuid import uuid4

from core.errors import BadInputError, UsageError
from store.file_errors import writing
from store.files import FileObjects
from store.locations import absolute, is_folder, is_object, open_store, split_location
from store.objects import ObjectStore
from store.s3.location import is_s3

ABOUT = "export.json"
"""What a folder was exported from, and how: its last file, by which an export is known."""

_AT_ONCE = 16
_WAITING = 64


class Target(Protocol):
    """What a format writes to."""

    def put(self, key: str, data: bytes) -> None:
        """Write a file."""

    def stream(self, key: str) -> BinaryIO:
        """Return a file to write in pieces; it is closed for whoever writes."""

    def scratch(self) -> BinaryIO:
        """Return a file for what comes later; nobody else sees it."""

    def link(self, key: str, path: str) -> None:
        """Make a symbolic link to a file."""

    def copy(self, key: str, source: ObjectStore, name: str) -> None:
        """Copy a file from another store, where it is called `name`, some time before `commit`."""

    def missing(self) -> int:
        """Return how many files could not be copied because they are not there any more."""

    def commit(self, about: dict[str, Any]) -> None:
        """Let everything appear at once; `about` says what it is."""


@contextmanager
def opened_target(destination: str, *, is_file: bool, overwrite: bool) -> Iterator[Target]:
    """Provide the target at a destination, which is empty until `commit`, and else stays as it was.

    It is a single file, or a folder or prefix.

    Raises:
        UsageError: something is there, and it may not be replaced.
    """
    # What is large lies on the disk that it is meant for, if there is one.
    folder = os.path.dirname(absolute(destination))  # noqa: PTH120
    beside = folder if is_file and not is_s3(destination) and is_folder(folder) else None
    with tempfile.TemporaryDirectory(prefix=".regatta-", dir=beside) as scratch:
        target: _File | _Folder | _Prefix
        if is_file:
            target = _File(destination, Path(scratch), overwrite=overwrite)
        elif is_s3(destination):
            target = _Prefix(destination, Path(scratch), overwrite=overwrite)
        else:
            target = _Folder(Path(absolute(destination)).resolve(), overwrite=overwrite)
        try:
            yield target
        finally:
            target.close()


class _Streams:
    """Files that are open until they are written."""

    def __init__(self) -> None:
        self._open: list[BinaryIO] = []

    def opened(self, path: Path) -> BinaryIO:
        path.parent.mkdir(parents=True, exist_ok=True)
        file = path.open("wb", buffering=1 << 20)
        self._open.append(file)
        return file

    def scratch(self, folder: Path) -> BinaryIO:
        file: Any = tempfile.TemporaryFile(dir=folder, buffering=1 << 20)  # noqa: SIM115
        self._open.append(file)
        return file  # type: ignore[no-any-return]

    def close(self) -> None:
        while self._open:
            self._open.pop().close()


class _Background:
    """Does what waits for others, several at once; what fails is raised at a later call."""

    def __init__(self) -> None:
        self._pool = ThreadPoolExecutor(_AT_ONCE)
        self._waiting: deque[Future[int | None]] = deque()
        self._missing = 0

    def do(self, what: Callable[..., int | None], *args: Any) -> None:
        self._waiting.append(self._pool.submit(what, *args))
        self._wait(_WAITING)

    def missing(self) -> int:
        """Wait for everything, and return how many files were missing."""
        self._wait(0)
        return self._missing

    def _wait(self, most: int) -> None:
        while len(self._waiting) > most:
            self._missing += self._waiting.popleft().result() or 0

    def close(self) -> None:
        self._pool.shutdown(cancel_futures=True)


def _copied(key: str, into: ObjectStore, source: ObjectStore, name: str) -> int:
    """Copy a file; return 1 if it is not there any more, or may not be read, else 0."""
    try:
        file = source.open(name)
    except BadInputError as error:
        if error.reason not in {"source_missing", "access_denied"}:
            raise
        return 1
    with file:
        into.put_stream(key, file)
    return 0


class _Folder:
    """A folder on this machine: made beside its place, and renamed."""

    def __init__(self, place: Path, *, overwrite: bool) -> None:
        _check_free(str(place), _kind_of(place), overwrite=overwrite)
        if place.is_mount():  # nothing can be renamed to it
            raise UsageError(f"{str(place)!r} is a mount point", hint="name a folder in it")
        self._place = place
        self._overwrite = overwrite
        self._staged = place.parent / f".regatta-{uuid4().hex}.tmp"
        self._streams = _Streams()
        with writing(place.parent, place.name):
            self._staged.mkdir(parents=True)
        self._store = FileObjects(self._staged)
        self._copies = _Background()

    def put(self, key: str, data: bytes) -> None:
        path = self._staged / key
        with writing(self._staged, key):
            try:
                path.write_bytes(data)
            except FileNotFoundError:
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(data)

    def stream(self, key: str) -> BinaryIO:
        with writing(self._staged, key):
            return self._streams.opened(self._staged / key)

    def scratch(self) -> BinaryIO:
        return self._streams.scratch(self._staged)

    def link(self, key: str, path: str) -> None:
        place = self._staged / key
        with writing(self._staged, key):
            try:
                place.symlink_to(path)
            except FileNotFoundError:
                place.parent.mkdir(parents=True, exist_ok=True)
                place.symlink_to(path)

    def copy(self, key: str, source: ObjectStore, name: str) -> None:
        self._copies.do(_copied, key, self._store, source, name)

    def missing(self) -> int:
        return self._copies.missing()

    def commit(self, about: dict[str, Any]) -> None:
        self._streams.close()
        self._copies.missing()
        self.put(ABOUT, _json(about))
        with writing(self._place.parent, self._place.name):
            kind = _kind_of(self._place)  # somebody may have put something there meanwhile
            _check_free(str(self._place), kind, overwrite=self._overwrite)
            if kind != "export":
                self._staged.rename(self._place)  # an empty folder is replaced
                return
            old = self._place.parent / f".regatta-{uuid4().hex}.tmp"
            self._place.rename(old)
            try:
                self._staged.rename(self._place)
            except OSError:
                old.rename(self._place)
                raise
            shutil.rmtree(old, ignore_errors=True)

    def close(self) -> None:
        self._copies.close()
        self._streams.close()
        shutil.rmtree(self._staged, ignore_errors=True)


class _Prefix:
    """A prefix of a bucket: `ABOUT` comes last, and an export without it is none."""

    def __init__(self, place: str, scratch: Path, *, overwrite: bool) -> None:
        self._place = place if place.endswith("/") else f"{place}/"
        self._store = open_store(self._place)
        kind = "export" if self._store.exists(ABOUT) else "other"
        kind = kind if is_folder(self._place) else "nothing"
        _check_free(self._place, kind, overwrite=overwrite)
        self._scratch = scratch
        self._streams = _Streams()
        self._staged: list[str] = []
        self._uploads = _Background()
        if kind == "export":
            self._store.delete(ABOUT)
            for info in self._store.list():
                self._uploads.do(self._store.delete, info.key)
            self._uploads.missing()

    def put(self, key: str, data: bytes) -> None:
        self._uploads.do(self._store.put, key, data)

    def stream(self, key: str) -> BinaryIO:
        self._staged.append(key)
        return self._streams.opened(self._scratch / f"{len(self._staged)}")

    def scratch(self) -> BinaryIO:
        return self._streams.scratch(self._scratch)

    def link(self, key: str, path: str) -> None:
        raise UsageError(f"a bucket holds no links: {key} to {path}")

    def copy(self, key: str, source: ObjectStore, name: str) -> None:
        self._uploads.do(_copied, key, self._store, source, name)

    def missing(self) -> int:
        return self._uploads.missing()

    def commit(self, about: dict[str, Any]) -> None:
        self._streams.close()
        for number, key in enumerate(self._staged, 1):
            with (self._scratch / f"{number}").open("rb") as file:
                self._store.put_stream(key, file)
        self._uploads.missing()
        self._store.put(ABOUT, _json(about), durable=True)

    def close(self) -> None:
        self._uploads.close()
        self._streams.close()


class _File:
    """A single file, on this machine or in a bucket."""

    def __init__(self, place: str, scratch: Path, *, overwrite: bool) -> None:
        folder, self._key = split_location(place)
        if not is_s3(folder) and not is_folder(folder):
            raise UsageError(f"there is no directory {folder!r}", hint="make it, or name another")
        _check_free(place, "file" if is_object(place) else "nothing", overwrite=overwrite)
        if not is_s3(folder) and is_folder(place):
            raise UsageError(f"{place!r} is a directory", hint="name a file")
        self._store = open_store(folder)
        self._scratch = scratch
        self._streams = _Streams()

    def put(self, key: str, data: bytes) -> None:
        self.stream(key).write(data)

    def stream(self, key: str) -> BinaryIO:
        path = self._scratch / "file"
        assert not path.exists(), f"a single file has no room for {key}"
        return self._streams.opened(path)

    def scratch(self) -> BinaryIO:
        return self._streams.scratch(self._scratch)

    def link(self, key: str, path: str) -> None:
        raise UsageError(f"a single file holds no links: {key} to {path}")

    def copy(self, key: str, source: ObjectStore, name: str) -> None:
        raise UsageError(f"a single file holds no pictures: {key} of {name}, {source}")

    def missing(self) -> int:
        return 0

    def commit(self, about: dict[str, Any]) -> None:  # noqa: ARG002 - there is no room for it
        self._streams.close()
        with (self._scratch / "file").open("rb") as file:
            self._store.put_stream(self._key, file, durable=True)

    def close(self) -> None:
        self._streams.close()


def _kind_of(place: Path) -> str:
    if not os.path.lexists(place):
        return "nothing"
    if not place.is_dir():
        return "other"
    with suppress(StopIteration):
        next(place.iterdir())
        return "export" if (place / ABOUT).is_file() else "other"
    return "nothing"


def _check_free(place: str, kind: str, *, overwrite: bool) -> None:
    if kind == "nothing" or (overwrite and kind in {"export", "file"}):
        return
    if kind == "other":
        raise UsageError(
            f"there is something in {place!r} already, and it is no export (it has no {ABOUT})",
            hint="name an empty folder, or one that does not exist",
        )
    what = "an export" if kind == "export" else "a file"
    raise UsageError(f"{place!r} is {what} already", hint="--overwrite replaces it")


def _json(about: dict[str, Any]) -> bytes:
    return (json.dumps(about, ensure_ascii=False, indent=2) + "\n").encode()
