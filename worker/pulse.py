"""The signs of life that a worker gives to whoever started it."""

import os
from contextlib import suppress

from core.pulse import PULSE_FD


class Pulse:
    """Writes a byte down the supervisor's pipe, if there is one, whenever it is told to beat."""

    def __init__(self, fd: int | None) -> None:
        self._fd = fd
        if fd is not None:
            os.set_blocking(fd, False)
            os.set_inheritable(fd, False)

    @classmethod
    def of_this_process(cls) -> "Pulse":
        """Take the pipe's end that the environment names; processes started later get none."""
        word = os.environ.pop(PULSE_FD, None)
        return cls(None if word is None else int(word))

    def beat(self) -> None:
        """Give a sign of life. One that nobody reads is no failure."""
        if self._fd is None:
            return
        # Full: they are read late. Broken: the supervisor is gone, and the kernel says so, too.
        with suppress(BlockingIOError, BrokenPipeError):
            os.write(self._fd, b".")
