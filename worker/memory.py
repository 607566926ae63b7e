"""How this process's C library deals with the memory of pictures and tensors."""

import ctypes

# glibc's malloc.h
_M_TRIM_THRESHOLD = -1
_M_MMAP_THRESHOLD = -3

_MIB = 1 << 20
_LARGEST_KEPT = 32 * _MIB  # the most that glibc takes
_MOST_KEPT = 128 * _MIB


def keep_freed_memory() -> None:
    """Let the allocator keep what is freed, for the next picture or tensor of that size.

    By itself it gives blocks of a megabyte back to the system as soon as they are free, and the
    next one has to be had page by page again: a tenth of all CPU time where networks are small.
    Each of its arenas keeps so much at most; larger blocks go back as ever. Where the C library is
    not glibc, nothing changes.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        mallopt(_M_MMAP_THRESHOLD, _LARGEST_KEPT)
        mallopt(_M_TRIM_THRESHOLD, _MOST_KEPT)
