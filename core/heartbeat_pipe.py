"""A pipe from a child to its supervisor: a byte every few seconds says that the child lives."""

import os
from contextlib import suppress

HEARTBEAT_FD = "REGATTA_HEARTBEAT_FD"
"""In a child's environment: the number of the pipe's end that it writes to."""


class HeartbeatReader:
    """The supervisor's side, for one run of a child: `write_end` is the child's to inherit."""

    def __init__(self) -> None:
        self._read_end, self.write_end = os.pipe()
        os.set_blocking(self._read_end, False)

    def handed_over(self) -> None:
        """Close this process's copy of the child's end, once the child has its own."""
        os.close(self.write_end)

    def beats(self) -> bool:
        """Whether the child wrote something since this was asked last."""
        with suppress(BlockingIOError):
            return bool(os.read(self._read_end, 65_536))
        return False

    def close(self) -> None:
        """Close the reading end."""
        os.close(self._read_end)


class HeartbeatWriter:
    """The child's side. A process without a supervisor has no pipe, and beats into the void."""

    def __init__(self, fd: int | None) -> None:
        self._fd = fd
        if fd is not None:
            os.set_blocking(fd, False)
            os.set_inheritable(fd, False)

    @classmethod
    def of_this_process(cls) -> "HeartbeatWriter":
        """Take the pipe's end that the environment names; processes started later get none."""
        word = os.environ.pop(HEARTBEAT_FD, None)
        return cls(None if word is None else int(word))

    def beat(self) -> None:
        """Give a sign of life. One that nobody reads is no failure."""
        if self._fd is None:
            return
        # Full: they are read late. Broken: the supervisor is gone, and the kernel says so, too.
        with suppress(BlockingIOError, BrokenPipeError):
            os.write(self._fd, b".")
