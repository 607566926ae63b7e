"""Ends the process when nothing makes progress: a hung one would hold its device for ever."""

import faulthandler
import os
import sys
import threading
import time
from collections.abc import Callable, Sequence

import structlog

from worker.run import ShardRun

EXIT_STALLED = 70

_log = structlog.get_logger()


class Watchdog:
    """Checks the runs (`tick`) every few seconds, in its own thread (`start`).

    Each check calls `beat`: if the beats stop, the whole process is stuck, watchdog and all.
    """

    def __init__(
        self,
        runs: Callable[[], Sequence[ShardRun]],
        *,
        stall_seconds: float,
        look_seconds: float = 5.0,
        beat: Callable[[], object] = lambda: None,
        end: Callable[[int], object] = os._exit,
    ) -> None:
        self._runs = runs
        self._stall_seconds = stall_seconds
        self._look_seconds = min(look_seconds, stall_seconds / 4)
        self._beat = beat
        self._end = end
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._loop, name="watchdog", daemon=True)

    def start(self) -> None:
        """Watch in the background."""
        self._thread.start()

    def close(self) -> None:
        """Stop watching."""
        self._stop.set()
        self._thread.join()

    def tick(self) -> bool:
        """End the process if every run has stalled; return whether it did."""
        runs = self._runs()
        latest = max((run.moved_at for run in runs), default=None)
        if latest is None or time.monotonic() - latest < self._stall_seconds:
            return False
        shards = [run.unit.hold.shard for run in runs]
        _log.critical("no progress; ending this process", shards=shards)
        try:
            faulthandler.dump_traceback(file=sys.__stderr__ or sys.stderr, all_threads=True)
        finally:  # even if there is nowhere to write to
            self._end(EXIT_STALLED)
        return True

    def _loop(self) -> None:
        self._beat()
        while not self._stop.wait(self._look_seconds):
            self._beat()
            self.tick()
