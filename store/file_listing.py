"""Lists the files below a directory in the order of a bucket."""

# Keys are compared as bytes, and pathlib knows no paths of bytes.
# ruff: noqa: PTH112, PTH116, PTH118
import os
import stat
from collections.abc import Iterator

from core.errors import BadInputError, RetryableError
from store.file_errors import VANISHED


def list_files(
    root: bytes, prefix: bytes, start_after: bytes
) -> Iterator[tuple[bytes, os.stat_result]]:
    """Yield the regular files below `root` as relative names with their status, in byte order.

    A bucket sorts whole keys, so a directory stands where its name with a `/` sorts: `a-b`,
    `a/b`, `a0`. Directories that lie wholly before `start_after` or beside `prefix` are not read.
    Symbolic links are followed, except to a directory that the link lies in.

    Raises:
        BadInputError: `source_missing` if `root` is not a directory.
        RetryableError: something below `root` can't be read.
    """
    if not os.path.isdir(root):
        raise BadInputError("source_missing", f"{os.fsdecode(root)!r} is not a directory")
    first = prefix[: prefix.rfind(b"/") + 1]
    ancestors = _ancestors(root, first)
    stack = [(first, _names(os.path.join(root, first)))] if ancestors else []
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
        status = _status(os.path.join(root, key))
        if status is None:
            continue
        if not name.endswith(b"/"):
            if stat.S_ISREG(status.st_mode):
                yield key, status
        elif _identity(status) not in ancestors:
            stack.append((key, _names(os.path.join(root, key))))
            ancestors.append(_identity(status))


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
        status = _status(os.path.join(root, *segments[:depth], b""))
        if status is None or _identity(status) in found:
            return []
        found.append(_identity(status))
    return found


def _names(folder: bytes) -> Iterator[bytes]:
    """Return the sorted names in a directory; those of directories end in `/`."""
    try:
        with os.scandir(folder) as entries:
            names = [entry.name + b"/" if _is_folder(entry) else entry.name for entry in entries]
    except OSError as error:
        if error.errno in VANISHED:
            return iter(())
        raise _unreadable(folder, error) from error
    names.sort()
    return iter(names)


def _is_folder(entry: os.DirEntry[bytes]) -> bool:
    try:
        return entry.is_dir()
    except OSError:
        return False  # a broken link: asking for its status tells why


def _status(path: bytes) -> os.stat_result | None:
    try:
        return os.stat(path)
    except OSError as error:
        if error.errno in VANISHED:
            return None
        raise _unreadable(path, error) from error


def _identity(status: os.stat_result) -> tuple[int, int]:
    return status.st_dev, status.st_ino


def _unreadable(path: bytes, error: OSError) -> RetryableError:
    return RetryableError(
        f"{os.fsdecode(path)!r} can't be listed: {error.strerror}",
        hint="make it readable, or move it out of the dataset",
    )
