"""Measures how much memory a process holds while something runs in it."""

import os
import threading
import time
from pathlib import Path
from types import TracebackType
from typing import Self

_PAGE = os.sysconf("SC_PAGE_SIZE")


def resident() -> int:
    """Return this process's resident bytes."""
    return int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1]) * _PAGE


class Sampled:
    """Samples `resident` between entry and exit, every few milliseconds.

    `samples` are pairs of a `time.perf_counter` time and the bytes at that time.
    """

    def __init__(self, every: float = 0.02) -> None:
        self.samples: list[tuple[float, int]] = []
        self._every = every
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._sample)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._stop.set()
        self._thread.join()

    @property
    def peak(self) -> int:
        """The highest number of bytes seen."""
        return max(size for _, size in self.samples)

    def peak_between(self, begin: float, end: float) -> int:
        """Return the highest number of bytes seen between two `time.perf_counter` times."""
        return max(size for at, size in self.samples if begin <= at <= end)

    def _sample(self) -> None:
        while True:
            self.samples.append((time.perf_counter(), resident()))
            if self._stop.wait(self._every):
                return
