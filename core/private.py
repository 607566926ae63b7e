"""Directories that only their owner may look into."""

import os
from pathlib import Path

_OTHERS = 0o077


def make_private(folder: Path) -> None:
    """Create a directory for its owner alone, whatever the umask; close one of ours that is there.

    Raises:
        OSError: it can't be made.
    """
    folder.parent.mkdir(parents=True, exist_ok=True)
    try:
        folder.mkdir(mode=0o700)
    except FileExistsError:
        if not folder.is_dir():
            raise
        found = folder.stat()
        if found.st_uid != os.getuid() or not found.st_mode & _OTHERS:
            return
    folder.chmod(0o700)
