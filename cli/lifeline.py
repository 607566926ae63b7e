"""A pipe at whose other end a child shows that it lives."""

import os
from contextlib import suppress


class Lifeline:
    """One pipe for one run of a child: `write_end` is for the child, the rest stays here."""

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
        """Let go of it."""
        os.close(self._read_end)
