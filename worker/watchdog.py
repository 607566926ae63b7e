"""Ends the process when a picture takes too long, or nothing makes progress.

A thread that decodes can't be stopped, and a hung one would hold its device for ever. Before the
process ends, the pictures that take too long are named, so that they are tried alone in a process
that can be killed.
"""

import faulthandler
import os
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence

import structlog

from core.items import ItemRef
from worker.run import ShardRun
from worker.steps import Step

EXIT_STALLED = 70
_NAMED = 10  # items in the log
_ACCUSE_SECONDS = 30.0  # to write down who is suspect: the process ends in any case

_log = structlog.get_logger()

Accused = Mapping[ShardRun, Sequence[ItemRef]]
"""All runs of the process, with those items of each that take too long."""


class Watchdog:
    """Checks the runs (`tick`) every few seconds, in its own thread (`start`).

    Each check calls `beat`: if the beats stop, the whole process is stuck, watchdog and all.
    `accuse` is told of items that take too long, just before `end`.
    """

    def __init__(
        self,
        runs: Callable[[], Sequence[ShardRun]],
        *,
        stall_seconds: float,
        look_seconds: float = 5.0,
        beat: Callable[[], object] = lambda: None,
        accuse: Callable[[Accused], object] = lambda _: None,
        end: Callable[[int], object] = os._exit,
    ) -> None:
        self._runs = runs
        self._stall_seconds = stall_seconds
        self._look_seconds = min(look_seconds, stall_seconds / 4)
        self._beat = beat
        self._accuse = accuse
        self._end = end
        self._seen: set[Step] = set()  # overdue at the last look
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._loop, name="watchdog", daemon=True)

    def start(self) -> None:
        """Give the first sign of life, then watch in the background."""
        self._beat()
        self._thread.start()

    def close(self) -> None:
        """Stop watching."""
        self._stop.set()
        if self._thread.ident is not None:  # it may never have been started
            self._thread.join()

    def tick(self) -> bool:
        """End the process if a step takes too long or every run has stalled; return whether so.

        A step has to be found overdue twice: a process that was stopped for a while goes on first.
        """
        runs, now = self._runs(), time.monotonic()
        overdue = {run: run.steps.overdue(now) for run in runs}
        seen, self._seen = self._seen, {step for steps in overdue.values() for step in steps}
        stalled = runs and not any(run.has_moved_since(now - self._stall_seconds) for run in runs)
        if not stalled and not seen & self._seen:
            return False
        accused = {run: _items(steps) for run, steps in overdue.items()}
        _log.critical(
            "pictures take too long; ending this process"
            if self._seen
            else "no progress; ending this process",
            shards=[run.unit.hold.shard for run in runs],
            steps=sorted({step.name for step in self._seen}),
            items=[item.key for items in accused.values() for item in items][:_NAMED],
        )
        try:
            faulthandler.dump_traceback(file=sys.__stderr__ or sys.stderr, all_threads=True)
        finally:  # even if there is nowhere to write to
            if self._seen:
                self._write_down(accused)
            self._end(EXIT_STALLED)
        return True

    def _write_down(self, accused: Accused) -> None:
        # In another thread: what it waits for may hang, too.
        writer = threading.Thread(target=self._accuse, args=(accused,), daemon=True)
        writer.start()
        writer.join(_ACCUSE_SECONDS)

    def _loop(self) -> None:
        while not self._stop.wait(self._look_seconds):
            self._beat()
            self.tick()


def _items(steps: Sequence[Step]) -> list[ItemRef]:
    return list(dict.fromkeys(item for step in steps for item in step.items))
