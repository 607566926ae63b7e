"""Whether a disk has any room left."""

import os
from pathlib import Path

_LEAST_BYTES = 64 * 1024  # a few pages of a database and its log


def is_full(folder: Path) -> bool:
    """Return whether next to nothing can be written below a folder, as far as can be told."""
    try:
        room = os.statvfs(folder)
    except OSError:
        return False
    blocks = room.f_bfree if os.geteuid() == 0 else room.f_bavail
    return blocks * room.f_frsize < _LEAST_BYTES
