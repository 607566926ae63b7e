"""Decides when trouble that keeps coming is told again: at once, then ever more rarely."""

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

_FIRST_SECONDS = 1.0
_LONGEST_SECONDS = 600.0
_NEWS_SECONDS = 60.0  # what stayed away this long, and for two of its pauses, is news again
_MOST_KINDS = 1000


@dataclass(slots=True)
class _Trouble:
    said_at: float
    came_at: float
    pause: float = _FIRST_SECONDS
    unsaid: int = 0


class Repeats:
    """What one loop has said lately. The pause between two lines doubles, from 1 s to 10 min.

    `monotonic` is the clock; tests pass their own. Safe to share between threads.
    """

    def __init__(self, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._monotonic = monotonic
        self._troubles: dict[tuple[str, ...], _Trouble] = {}
        self._lock = threading.Lock()

    def due(self, *what: str) -> int | None:
        """Return how often this has come since it was last said, or None if it isn't time to say.

        `what` tells one trouble from another, for example by step, job and kind of error.
        """
        now = self._monotonic()
        with self._lock:
            trouble = self._troubles.get(what)
            if trouble is None or now - trouble.came_at > max(_NEWS_SECONDS, 2 * trouble.pause):
                self._troubles.pop(what, None)
                self._troubles[what] = _Trouble(said_at=now, came_at=now)
                if len(self._troubles) > _MOST_KINDS:
                    del self._troubles[next(iter(self._troubles))]
                return 1
            trouble.came_at = now
            trouble.unsaid += 1
            if now - trouble.said_at < trouble.pause:
                return None
            times, trouble.unsaid, trouble.said_at = trouble.unsaid, 0, now
            trouble.pause = min(_LONGEST_SECONDS, 2 * trouble.pause)
            return times
