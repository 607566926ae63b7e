"""A pipe from a child to its supervisor: a byte every few seconds says that the child is alive."""

import os
from contextlib import suppress

HEARTBEAT_FD = "REGATTA_HEARTBEAT_FD"
"""In a child's environment: the file descriptor of its end of the pipe."""


class HeartbeatReader:
    """The supervisor's end of the pipe, for one run of a child; the child inherits `write_end`."""

    def __init__(self) -> None:
        self._read_end, self.write_end = os.pipe()
        os.set_blocking(self._read_end, False)

    def handed_over(self) -> None:
        """Close this process's copy of the child's end, once the child has its own."""
        os.close(self.write_end)

    def beats(self) -> bool:
        """Return whether the child has written anything since the last call."""
        with suppress(BlockingIOError):
            return bool(os.read(self._read_end, 65_536))
        return False

    def close(self) -> None:
        """Close the reading end."""
        os.close(self._read_end)


class HeartbeatWriter:
    """The child's end of the pipe; without a supervisor there is none, and beats do nothing."""

    def __init__(self, fd: int | None) -> None:
        self._fd = fd
        if fd is not None:
            os.set_blocking(fd, False)
            os.set_inheritable(fd, False)

    @classmethod
    def of_this_process(cls) -> "HeartbeatWriter":
        """Take the end of the pipe that the environment names; processes started later get none."""
        word = os.environ.pop(HEARTBEAT_FD, None)
        return cls(None if word is None else int(word))

    def beat(self) -> None:
        """Write a sign of life; nobody has to read it."""
        if self._fd is None:
            return
        # Full: the supervisor reads late. Broken: it is gone, and the kernel tells us anyway.
        with suppress(BlockingIOError, BrokenPipeError):
            os.write(self._fd, b".")
