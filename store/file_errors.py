"""What the operating system's errors mean for reading or writing a file."""

import errno
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from core.errors import BadInputError, BlockedError, RetryableError
from core.escape import printable

VANISHED = frozenset({errno.ENOENT, errno.ENOTDIR, errno.ELOOP})
"""There is no such file, or not any more."""

REFUSED = frozenset({errno.EACCES, errno.EPERM, errno.ENAMETOOLONG})
"""Asking again will not help: it may not be read, or its path is too long."""

_MISSING = VANISHED | {errno.EISDIR, errno.ENXIO}
_DENIED = {errno.EACCES, errno.EPERM, errno.EROFS}
_UNFIT = {errno.ENAMETOOLONG, errno.EINVAL, errno.EILSEQ}
_TAKEN = {errno.EEXIST, errno.ENOTDIR, errno.EISDIR, errno.ELOOP}
_FULL = {errno.ENOSPC: "disk full", errno.EDQUOT: "disk quota used up"}
_AWAY = {errno.ENOTCONN, errno.ETIMEDOUT, errno.EHOSTDOWN, errno.EHOSTUNREACH, errno.ENODEV}
_HINTS = {
    errno.EMFILE: "too many files are open: raise `ulimit -n`",
    errno.EIO: "the disk reports errors: check it and its connection",
    errno.ESTALE: "the network file system lost the file: check the mount",
}


@contextmanager
def reading(root: Path, key: str) -> Iterator[None]:
    """Translate what the operating system says against reading a key into our errors."""
    try:
        yield
    except OSError as error:
        if error.errno == errno.ENOENT:
            where = f"{printable(key)}: not found in {printable(str(root))}"
            raise BadInputError("source_missing", where) from error
        if error.errno in _MISSING:
            raise BadInputError("source_missing", _message(key, error)) from error
        if error.errno in _DENIED:
            raise BadInputError("access_denied", _message(key, error)) from error
        raise _translated(root, key, error) from error


@contextmanager
def writing(root: Path, key: str) -> Iterator[None]:
    """Translate what the operating system says against writing a key into our errors."""
    try:
        yield
    except OSError as error:
        if error.errno in _TAKEN:
            raise BadInputError("bad_key", _message(key, error)) from error
        if error.errno in _DENIED:
            hint = f"let the workers write to {root}"
            raise BlockedError(f"{root}: {_message(key, error)}", hint=hint) from error
        raise _translated(root, key, error) from error


def no_room(place: Path | str, error: OSError) -> BlockedError | None:
    """Return what a full disk amounts to, or None if the error means something else."""
    why = _FULL.get(error.errno or 0)
    if why is None:
        return None
    return BlockedError(
        f"waiting for room on {place} ({why}): {error.strerror}", hint="free some space"
    )


def _translated(root: Path, key: str, error: OSError) -> BadInputError | RetryableError:
    if error.errno in _UNFIT:
        return BadInputError("bad_key", _message(key, error))
    if (full := no_room(root, error)) is not None:
        return full
    if error.errno in _AWAY:
        return BlockedError(f"{root}: {_message(key, error)}", hint="check that it is mounted")
    hint = _HINTS.get(error.errno or 0, "check the file system")
    return RetryableError(_message(key, error), hint=hint)


def _message(key: str, error: OSError) -> str:
    return f"{key!r}: {error.strerror or error}"
