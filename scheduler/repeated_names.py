"""Notices names that a list of items has before."""

from enum import Enum
from hashlib import blake2b

import numpy as np

NEAR_ENTRIES = 20_000
"""Entries of a list among which a name that comes twice is one item."""

_MOST_NAMES = 10_000_000


class Seen(Enum):
    """Where a list had a name before."""

    NEVER = "never"
    NEAR = "near"  # in the same block of the list
    FAR = "far"  # in an earlier block


class Names:
    """The names of a list so far: those of the present block, and hashes of those before it.

    A hash takes 8 bytes, so that 10 million names take 80 MB, and twice that while a block is
    added; names below the first 10 million are compared to those only. Two different names share
    a hash of 64 bits in one of 400,000 lists of that length: only a warning may follow from `FAR`.
    """

    def __init__(self) -> None:
        self._entries = 0
        self._block: dict[str, int] = {}
        self._before = np.empty(0, np.uint64)

    def see(self, name: str) -> Seen:
        """Note the list's next name."""
        if self._entries and self._entries % NEAR_ENTRIES == 0:
            self._close_block()
        self._entries += 1
        if name in self._block:
            return Seen.NEAR
        code = _hash(name) if self._before.size else 0
        self._block[name] = code
        return Seen.FAR if self._before.size and self._has(code) else Seen.NEVER

    def _has(self, code: int) -> bool:
        place = int(np.searchsorted(self._before, np.uint64(code)))
        return place < self._before.size and int(self._before[place]) == code

    def _close_block(self) -> None:
        if self._before.size < _MOST_NAMES:
            codes = [code or _hash(name) for name, code in self._block.items()]
            both = np.concatenate([self._before, np.array(codes, np.uint64)])
            both.sort(kind="stable")  # merges two runs
            self._before = both
        self._block = {}


def _hash(name: str) -> int:
    data = name.encode("utf-8", "surrogatepass")
    return int.from_bytes(blake2b(data, digest_size=8).digest(), "little")
