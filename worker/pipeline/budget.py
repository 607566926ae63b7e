"""Bounds the memory of pictures in flight: decoded ones that wait to be drawn on."""

import threading
from collections.abc import Callable

_LOOK_SECONDS = 0.1


class ByteBudget:
    """A limit on the bytes held at once; a thread that needs more waits. Shared by all threads.

    A request for more than the limit is granted when nobody else holds anything.
    """

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._held = 0
        self._waiting = 0
        self._changed = threading.Condition()

    @property
    def is_short(self) -> bool:
        """Whether a thread is waiting."""
        return self._waiting > 0

    def take(self, size: int, given_up: Callable[[], bool]) -> None:
        """Hold `size` bytes as soon as there is room, or `given_up` says that it doesn't matter."""
        with self._changed:
            self._waiting += 1
            while self._held and self._held + size > self._limit and not given_up():
                self._changed.wait(_LOOK_SECONDS)
            self._waiting -= 1
            self._held += size

    def give_back(self, size: int) -> None:
        """Release `size` bytes."""
        with self._changed:
            self._held -= size
            self._changed.notify_all()
