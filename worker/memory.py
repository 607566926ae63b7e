"""Tunes the C library's allocator for pictures and tensors."""

import ctypes

# glibc's malloc.h
_M_TRIM_THRESHOLD = -1
_M_MMAP_THRESHOLD = -3

_MIB = 1 << 20
_LARGEST_KEPT = 32 * _MIB  # the most that glibc takes
_MOST_KEPT = 128 * _MIB


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
