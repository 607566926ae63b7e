"""Bounds the memory of pictures in flight: their files, their pixels, and what is drawn of them."""

import threading
from collections import Counter, deque
from collections.abc import Callable
from enum import IntEnum

_LOOK_SECONDS = 0.1

MIB = 1 << 20
PICTURE_BYTES = 512 * MIB


class Held(IntEnum):
    """What memory is held for, in the order in which a picture takes it.

    A picture that waits for one kind may hold earlier ones, but no later one.
    """

    FILE = 0  # encoded, from before it is fetched until it is decoded
    PIXELS = 1  # from before decoding, with all that the decoder takes, until nobody needs them
    DRAWING = 2  # the copy that is drawn on, then its file until it is stored


class PictureMemory:
    """A limit on the bytes held at once; a thread that needs more waits. Shared by all threads.

    Files take an eighth of it at most, and leave an eighth to drawings, as pixels do. Those who
    wait for the same kind are served in order, so that a large picture gets its turn. One that is
    too large is let in when nobody holds anything of its kind or a later one: those that hold
    earlier ones may be waiting for it, and these hold little.
    """

    def __init__(self, limit: int = PICTURE_BYTES) -> None:
        self._most = {Held.FILE: limit - limit // 8, Held.PIXELS: limit - limit // 8}
        self._limit = limit
        self._most_files = limit // 8
        self._held: Counter[Held] = Counter()
        self._waiting: dict[Held, deque[object]] = {kind: deque() for kind in Held}
        self._changed = threading.Condition()

    @property
    def held(self) -> int:
        """The bytes that are held now."""
        return self._held.total()

    @property
    def is_short(self) -> bool:
        """Whether a decoded picture, or one about to be, is waiting."""
        return bool(self._waiting[Held.PIXELS])

    def take(self, kind: Held, size: int, given_up: Callable[[], bool]) -> None:
        """Hold `size` bytes as soon as there is room, or `given_up` says that it doesn't matter."""
        me = object()
        with self._changed:
            queue = self._waiting[kind]
            queue.append(me)
            while not (queue[0] is me and self._fits(kind, size)) and not given_up():
                self._changed.wait(_LOOK_SECONDS)
            queue.remove(me)
            self._held[kind] += size
            self._changed.notify_all()

    def change(self, kind: Held, by: int) -> None:
        """Hold more, or less if `by` is negative, without waiting: what is taken is there."""
        with self._changed:
            self._held[kind] += by
            self._changed.notify_all()

    def _fits(self, kind: Held, size: int) -> bool:
        if not any(self._held[other] for other in Held if other >= kind):
            return True
        if kind is Held.FILE and self._held[kind] + size > self._most_files:
            return False
        return self.held + size <= self._most.get(kind, self._limit)
