"""Locks between processes that the kernel releases when their holder dies."""

import fcntl
import os
from pathlib import Path
from types import TracebackType
from typing import Self


class FileLock:
    """A lock on a file: shared by many or held by one. Child processes don't inherit it."""

    def __init__(self, path: Path) -> None:
        self._descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)

    def try_shared(self) -> bool:
        """Try to take it shared; fails while somebody holds it alone."""
        return self._try(fcntl.LOCK_SH)

    def try_alone(self) -> bool:
        """Try to take it alone; fails while anybody else holds it."""
        return self._try(fcntl.LOCK_EX)

    def wait_shared(self) -> None:
        """Take it shared as soon as nobody holds it alone."""
        fcntl.flock(self._descriptor, fcntl.LOCK_SH)

    def wait_alone(self) -> None:
        """Take it alone as soon as nobody else holds it."""
        fcntl.flock(self._descriptor, fcntl.LOCK_EX)

    def release(self) -> None:
        """Let go, but keep the file open for another time."""
        fcntl.flock(self._descriptor, fcntl.LOCK_UN)

    def close(self) -> None:
        """Let go for good; once is enough."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1

    def _try(self, how: int) -> bool:
        try:
            fcntl.flock(self._descriptor, how | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


def is_held(path: Path) -> bool:
    """Return whether somebody holds the lock alone; this blocks takers for an instant."""
    with FileLock(path) as lock:
        return not lock.try_shared()
