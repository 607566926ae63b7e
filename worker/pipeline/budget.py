"""A bound on the memory of what is in flight: decoded pictures that wait to be drawn on."""

import threading
from collections.abc import Callable

_LOOK_SECONDS = 0.1


class ByteBudget:
    """So many bytes may be held at once; whoever needs more waits. Shared by all threads.

    One who needs more than all of it gets it when nobody else holds anything.
    """

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._held = 0
        self._waiting = 0
        self._changed = threading.Condition()

    @property
    def is_short(self) -> bool:
        """Whether somebody waits."""
        return self._waiting > 0

    def take(self, size: int, given_up: Callable[[], bool]) -> None:
        """Hold `size` bytes, as soon as there is room or `given_up` says that it is no matter."""
        with self._changed:
            self._waiting += 1
            while self._held and self._held + size > self._limit and not given_up():
                self._changed.wait(_LOOK_SECONDS)
            self._waiting -= 1
            self._held += size

    def give_back(self, size: int) -> None:
        """Hold `size` bytes less."""
        with self._changed:
            self._held -= size
            self._changed.notify_all()
