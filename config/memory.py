"""How much memory a process may plan with: the machine's, and what its container allows."""

import os
from pathlib import Path

from config.control_groups import MOUNT, PROC, limits, words


def available_memory(groups: Path = PROC, mount: Path = MOUNT) -> int:
    """The bytes that this process may use, of which others may have taken some already.

    The narrowest of the enclosing groups counts. `groups` and `mount` are where the kernel tells.
    """
    machine = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return int(min([machine, *limits("memory", _unified, _legacy, groups, mount)]))


def _unified(folder: Path) -> float | None:
    return _number(folder / "memory.max")


def _legacy(folder: Path) -> float | None:
    return _number(folder / "memory.limit_in_bytes")


def _number(file: Path) -> float | None:
    said = words(file)
    return float(said[0]) if said and said[0] != "max" else None
