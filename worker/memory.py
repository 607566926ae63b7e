"""Tunes the C library's allocator for pictures and tensors."""

import ctypes
import threading

# glibc's malloc.h
_M_TRIM_THRESHOLD = -1
_M_MMAP_THRESHOLD = -3

_MIB = 1 << 20
_LARGEST_KEPT = 32 * _MIB  # the most that glibc takes
_MOST_KEPT = 128 * _MIB
_MOST_IN_PIECES = 96 * _MIB


class _Mallinfo2(ctypes.Structure):
    """glibc's `struct mallinfo2` (malloc.h, since 2.33); `fordblks` are free bytes it keeps."""

    _fields_ = tuple(
        (name, ctypes.c_size_t)
        for name in (
            *("arena", "ordblks", "smblks", "hblks", "hblkhd"),
            *("usmblks", "fsmblks", "uordblks", "fordblks", "keepcost"),
        )
    )


class FreedMemory:
    """Gives freed memory back to the system once it lies in pieces that nobody reuses (`look`).

    Tensors and pictures of ever different sizes leave gaps that fit none of the next ones. What a
    round of work usually leaves behind is kept, as the next round takes it again: it is known from
    the looks that follow a return. Beyond that, `most` bytes are kept. A look takes a microsecond.
    Does nothing without glibc. Shared by all threads.
    """

    def __init__(self, most: int = _MOST_IN_PIECES) -> None:
        library = ctypes.CDLL(None)
        self._info = getattr(library, "mallinfo2", None)
        self._trim = getattr(library, "malloc_trim", None)
        if self._info is not None:
            self._info.restype = _Mallinfo2
        self._most = most
        self._usual = 0
        self._looks_to_learn = 0
        self._lock = threading.Lock()

    def look(self, threads: int = 1) -> bool:
        """Return the memory if there is too much; after that, learn from a look per thread."""
        if self._info is None or self._trim is None or not self._lock.acquire(blocking=False):
            return False
        try:
            free = int(self._info().fordblks)
            if self._looks_to_learn:
                self._looks_to_learn -= 1
                self._usual = max(self._usual, free)
                return False
            if free <= self._usual + self._most:
                return False
            self._trim(0)
            self._looks_to_learn = threads
            return True
        finally:
            self._lock.release()


def keep_freed_memory() -> None:
    """Let the allocator keep freed memory for the next picture or tensor of that size.

    By default it returns blocks of a megabyte to the system as soon as they are freed, and the next
    one is mapped page by page again: a tenth of all CPU time with small networks. Each arena keeps
    a limited amount; larger blocks go back as before. Does nothing without glibc.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        mallopt(_M_MMAP_THRESHOLD, _LARGEST_KEPT)
        mallopt(_M_TRIM_THRESHOLD, _MOST_KEPT)
