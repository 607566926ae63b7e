"""A directory as an object store."""

import os
import re
import shutil
import stat
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO
from urllib.parse import quote
from uuid import uuid4

from core.errors import BadInputError
from core.keys import key_bytes
from core.passed_over import UNFINISHED
from store.file_errors import reading, writing
from store.file_listing import NotAFile, list_entries, list_files
from store.objects import NoObject, ObjectInfo

_CREATE_TRIES = 50
_UNFINISHED = re.compile(rb"\.regatta-[0-9a-f]{32}\.tmp")


class FileObjects:
    """The objects in and below a directory; an `ObjectStore`.

    Keys are file names relative to `root`. Symbolic links in it are followed when reading; what
    is written or deleted stays inside `root` once links are resolved. Unlike in a bucket, `a` and
    `a/b` can't both exist. An etag is made of a file's modification time and size.

    A writer that is killed leaves a file `.regatta-<32 hex digits>.tmp` behind; it is never listed
    and may be deleted at any time.
    """

    def __init__(self, root: Path) -> None:
        self._root = root.absolute()

    def get(self, key: str, *, if_match: str | None = None, max_bytes: int | None = None) -> bytes:
        """Return the file's content; see `ObjectStore.get`."""
        with reading(self._root, key), self._open(key) as file:
            before = os.fstat(file.fileno())
            _check_match(key, before, if_match)
            if max_bytes is not None and before.st_size > max_bytes:
                raise _too_large(key, before.st_size, max_bytes)
            # Ask for no more than there is: memory for all of it is reserved first.
            data = file.read(before.st_size + 1)
            if len(data) > before.st_size:
                data += file.read(-1 if max_bytes is None else max_bytes)
            if max_bytes is not None and len(data) > max_bytes:
                raise _too_large(key, len(data), max_bytes)
            # Somebody may have written into the file while it was read.
            _check_match(key, os.fstat(file.fileno()), if_match)
        return data

    def open(self, key: str) -> BinaryIO:
        """Return the file, opened for reading; see `ObjectStore.open`."""
        with reading(self._root, key):
            return self._open(key)

    def put(self, key: str, data: bytes | memoryview, *, durable: bool = False) -> None:
        """Create or replace the file; see `ObjectStore.put`."""
        self._replace(key, lambda file: file.write(data), durable=durable)

    def put_stream(self, key: str, source: BinaryIO, *, durable: bool = False) -> None:
        """Create or replace the file from a stream; see `ObjectStore.put_stream`."""
        self._replace(key, lambda file: shutil.copyfileobj(source, file, 1 << 20), durable=durable)

    def head(self, key: str) -> ObjectInfo:
        """Return what the file system knows about the file; see `ObjectStore.head`."""
        with reading(self._root, key):
            status = self._path(key).stat()
        if not stat.S_ISREG(status.st_mode):
            raise _not_a_file(key)
        return _info(key, status)

    def exists(self, key: str) -> bool:
        """Return whether the file is there; see `ObjectStore.exists`."""
        try:
            self.head(key)
        except BadInputError as error:
            if error.reason == "source_missing":
                return False
            raise
        return True

    def copy(self, src: str, dst: str) -> None:
        """Copy a file over another; see `ObjectStore.copy`."""
        with reading(self._root, src):
            source = self._open(src)
        with source:
            self._replace(dst, lambda file: shutil.copyfileobj(source, file, 1 << 20), durable=True)

    def delete(self, key: str) -> None:
        """Remove the file, and the directories that it leaves empty; see `ObjectStore.delete`."""
        path = self._writable_path(key)
        with writing(self._root, key), suppress(FileNotFoundError, NotADirectoryError):
            if stat.S_ISDIR(path.lstat().st_mode):
                return
            path.unlink()
        with suppress(OSError):  # stops at the first that still holds something
            while (path := path.parent) != self._root:
                path.rmdir()

    def list(self, prefix: str = "", start_after: str = "") -> Iterator[ObjectInfo]:
        """Yield the files in order; see `ObjectStore.list`.

        Memory holds the names in the directories on the way to the current file.

        Raises:
            BadInputError: `source_missing` if the store's directory does not exist.
            RetryableError: a directory can't be read: its files must not be lost silently.
        """
        for name, status in list_files(
            os.fsencode(self._root), key_bytes(prefix), key_bytes(start_after)
        ):
            if not _UNFINISHED.fullmatch(name.rpartition(b"/")[2]):
                yield _info(os.fsdecode(name), status)

    def entries(self, prefix: str = "", start_after: str = "") -> Iterator[ObjectInfo | NoObject]:
        """Yield the files and what else is there, in order; see `ObjectStore.entries`."""
        for name, found in list_entries(
            os.fsencode(self._root), key_bytes(prefix), key_bytes(start_after)
        ):
            key = os.fsdecode(name)
            if isinstance(found, NotAFile):
                yield NoObject(key, found.why)
            elif _UNFINISHED.fullmatch(name.rpartition(b"/")[2]):
                yield NoObject(key, UNFINISHED)
            else:
                yield _info(key, found)

    def url(self, key: str) -> str:
        """Return the file's absolute `file://` URL."""
        return "file://" + quote(os.fsencode(self._path(key)))

    def _path(self, key: str) -> Path:
        name = key_bytes(key)
        segments = name.split(b"/")
        if b"\0" in name or any(segment in {b"", b".", b".."} for segment in segments):
            raise BadInputError("bad_key", f"{key!r} does not name a file in a directory")
        if _UNFINISHED.fullmatch(segments[-1]):
            raise BadInputError("bad_key", f"{key!r} is the name of an unfinished file")
        return self._root / key

    def _writable_path(self, key: str) -> Path:
        path = self._path(key)
        if not self._has_link(key):
            return path
        # Not Path.resolve(), which gives up on loops with an error of its own.
        folder = Path(os.path.realpath(path.parent))
        if not folder.is_relative_to(os.path.realpath(self._root)):
            raise BadInputError("bad_key", f"{key!r} leads out of its directory by a symbolic link")
        return path

    def _has_link(self, key: str) -> bool:
        """Return whether a directory on the way from the root to a key is a symbolic link."""
        folder = self._root
        for name in key.split("/")[:-1]:
            folder /= name
            if folder.is_symlink():
                return True
        return False

    def _open(self, key: str) -> BinaryIO:
        # Opening a pipe would wait for its writer for ever.
        descriptor = os.open(self._path(key), os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            os.close(descriptor)
            raise _not_a_file(key)
        return os.fdopen(descriptor, "rb")

    def _replace(self, key: str, write: Callable[[BinaryIO], object], *, durable: bool) -> None:
        path = self._writable_path(key)
        unfinished = path.with_name(f".regatta-{uuid4().hex}.tmp")
        with writing(self._root, key):
            try:
                with _created(unfinished) as file:
                    write(file)
                    if durable:
                        file.flush()
                        os.fsync(file.fileno())
                unfinished.replace(path)
            except BaseException:
                with suppress(OSError):
                    unfinished.unlink()
                raise
            if durable:
                self._sync_folders(path.parent)

    def _sync_folders(self, folder: Path) -> None:
        """Make the names on the way from the root durable: any of them may be new."""
        while True:
            descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
            try:
                os.fsync(descriptor)
            finally:
                os.close(descriptor)
            if folder == self._root:
                return
            folder = folder.parent


def _created(path: Path) -> BinaryIO:
    """Return a new file; its directory may be new, too, and a `delete` may remove it again."""
    for _ in range(_CREATE_TRIES):
        with suppress(FileNotFoundError):
            return path.open("xb")
        with suppress(FileNotFoundError, FileExistsError):
            path.parent.mkdir(parents=True, exist_ok=True)
    return path.open("xb")


def _not_a_file(key: str) -> BadInputError:
    return BadInputError("source_missing", f"{key!r} is not a file")


def _too_large(key: str, size: int, limit: int) -> BadInputError:
    return BadInputError("too_large", f"{key!r} has {size} bytes or more; {limit} are allowed")


def _etag(status: os.stat_result) -> str:
    return f"{status.st_mtime_ns:x}-{status.st_size:x}"


def _check_match(key: str, status: os.stat_result, if_match: str | None) -> None:
    if if_match is not None and _etag(status) != if_match:
        raise BadInputError("source_changed", f"{key!r} is not what it was when it was listed")


def _info(key: str, status: os.stat_result) -> ObjectInfo:
    return ObjectInfo(key, status.st_size, _etag(status), status.st_mtime)
