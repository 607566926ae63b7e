"""Lists what is below a directory in the order of a bucket."""

# Keys are compared as bytes, and pathlib knows no paths of bytes.
# ruff: noqa: PTH112, PTH114, PTH116, PTH118
import errno
import os
import stat
from collections.abc import Collection, Iterator
from dataclasses import dataclass

from core.errors import BadInputError, RetryableError
from core.passed_over import (
    DANGLING,
    DEVICE,
    LOOPING,
    PIPE,
    SOCKET,
    UNREADABLE_FILE,
    UNREADABLE_FOLDER,
)
from store.file_errors import REFUSED, VANISHED

_SPECIAL = {
    stat.S_IFIFO: PIPE,
    stat.S_IFSOCK: SOCKET,
    stat.S_IFCHR: DEVICE,
    stat.S_IFBLK: DEVICE,
}


@dataclass(frozen=True, slots=True)
class NotAFile:
    """What an entry is instead of a regular file; `error` if something in it may be lost."""

    why: str
    error: OSError | None = None


@dataclass(frozen=True, slots=True)
class _Folder:
    identity: tuple[int, int]
    names: Iterator[bytes]


def list_files(
    root: bytes, prefix: bytes, start_after: bytes
) -> Iterator[tuple[bytes, os.stat_result]]:
    """Yield the regular files below `root` as relative names with their status, in byte order.

    Raises:
        BadInputError: `source_missing` if `root` is not a directory.
        RetryableError: something below `root` can't be read.
    """
    for key, found in list_entries(root, prefix, start_after):
        if not isinstance(found, NotAFile):
            yield key, found
        elif found.error is not None:
            raise _unreadable(os.path.join(root, key), found.error) from found.error


def list_entries(
    root: bytes, prefix: bytes, start_after: bytes
) -> Iterator[tuple[bytes, os.stat_result | NotAFile]]:
    """Yield the regular files below `root`, and whatever else lies there but directories.

    A bucket sorts whole keys, so a directory stands where its name with a `/` sorts: `a-b`,
    `a/b`, `a0`. Directories that lie wholly before `start_after` or beside `prefix` are not read.
    Symbolic links are followed, except to a directory that the link lies in. A directory is only
    yielded if it is such a loop, or may not be read; its name then ends in `/`.

    Raises:
        BadInputError: `source_missing` if `root` is not a directory.
        RetryableError: `root` can't be read, or something below it for a reason that may pass.
    """
    if not os.path.isdir(root):
        raise BadInputError("source_missing", f"{os.fsdecode(root)!r} is not a directory")
    first = prefix[: prefix.rfind(b"/") + 1]
    ancestors = _ancestors(root, first)
    if not ancestors:
        return
    names = _names(os.path.join(root, first))
    if isinstance(names, NotAFile):
        raise _unreadable(os.path.join(root, first), names.error)
    stack = [(first, names)]
    while stack:
        folder, names = stack[-1]
        name = next(names, None)
        if name is None:
            stack.pop()
            ancestors.pop()
            continue
        key = folder + name
        if not _may_hold(key, prefix, start_after):
            continue
        found = _look(os.path.join(root, key), ancestors)
        if isinstance(found, _Folder):
            stack.append((key, found.names))
            ancestors.append(found.identity)
        elif found is not None and key != start_after:
            yield key, found


def _may_hold(key: bytes, prefix: bytes, start_after: bytes) -> bool:
    """Return whether a file, or anything in a directory (key ends in `/`), is asked for."""
    if not key.endswith(b"/"):
        return key.startswith(prefix) and key > start_after
    is_inside = key.startswith(prefix) or prefix.startswith(key)
    return is_inside and (key > start_after or start_after.startswith(key))


def _ancestors(root: bytes, folder: bytes) -> list[tuple[int, int]]:
    """Return the identities of the directories from `root` to `folder`; none if it's missing."""
    segments = folder.split(b"/")[:-1]
    if b"\0" in folder or any(segment in {b"", b".", b".."} for segment in segments):
        return []
    found: list[tuple[int, int]] = []
    for depth in range(len(segments) + 1):
        path = os.path.join(root, *segments[:depth], b"")
        status = _status(path)
        if isinstance(status, NotAFile) and status.error is not None:
            raise _unreadable(path, status.error) from status.error
        if status is None or isinstance(status, NotAFile) or _identity(status) in found:
            return []
        found.append(_identity(status))
    return found


def _look(
    path: bytes, ancestors: Collection[tuple[int, int]]
) -> os.stat_result | NotAFile | _Folder | None:
    """Return what a path leads to; None if that is gone, or has become a directory."""
    status = _status(path)
    if status is None or isinstance(status, NotAFile):
        return status
    if path.endswith(b"/"):
        if _identity(status) in ancestors:
            return NotAFile(LOOPING)
        names = _names(path)
        return names if isinstance(names, NotAFile) else _Folder(_identity(status), names)
    if stat.S_ISREG(status.st_mode):
        return status
    if stat.S_ISDIR(status.st_mode):
        return None
    return NotAFile(_SPECIAL.get(stat.S_IFMT(status.st_mode), DEVICE))


def _names(folder: bytes) -> Iterator[bytes] | NotAFile:
    """Return the sorted names in a directory; those of directories end in `/`."""
    try:
        with os.scandir(folder) as entries:
            names = [entry.name + b"/" if _is_folder(entry) else entry.name for entry in entries]
    except OSError as error:
        if error.errno in VANISHED:
            return iter(())
        if error.errno in REFUSED:
            return NotAFile(UNREADABLE_FOLDER, error)
        raise _unreadable(folder, error) from error
    names.sort()
    return iter(names)


def _is_folder(entry: os.DirEntry[bytes]) -> bool:
    try:
        return entry.is_dir()
    except OSError:
        return False  # a broken link: asking for its status tells why


def _status(path: bytes) -> os.stat_result | NotAFile | None:
    """Return the status of what a path leads to; None if nothing is there any more."""
    try:
        return os.stat(path)
    except OSError as error:
        if error.errno in VANISHED:
            return _broken_link(path, error)
        if error.errno in REFUSED:
            is_folder = path.endswith(b"/")
            return NotAFile(UNREADABLE_FOLDER if is_folder else UNREADABLE_FILE, error)
        raise _unreadable(path, error) from error


def _broken_link(path: bytes, error: OSError) -> NotAFile | None:
    """Return what kind of link it is that leads nowhere; None if it has vanished, link and all."""
    if not os.path.islink(path.rstrip(b"/")):
        return None
    return NotAFile(LOOPING if error.errno == errno.ELOOP else DANGLING)


def _identity(status: os.stat_result) -> tuple[int, int]:
    return status.st_dev, status.st_ino


def _unreadable(path: bytes, error: OSError | None) -> RetryableError:
    why = error.strerror if error is not None else "it leads back to itself"
    return RetryableError(
        f"{os.fsdecode(path)!r} can't be listed: {why}",
        hint="make it readable, or move it out of the dataset",
    )
