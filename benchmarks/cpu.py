"""CPU seconds that processes have used, as /proc tells."""

import os
from pathlib import Path

_TICKS = os.sysconf("SC_CLK_TCK")


def cpu_seconds(pid: int) -> float:
    """CPU seconds of a process, and of its children that have ended and were waited for."""
    fields = _fields(pid)
    return sum(int(field) for field in fields[11:15]) / _TICKS


def family_cpu_seconds(pid: int) -> float:
    """CPU seconds of a process and of all its descendants, ended or alive."""
    return cpu_seconds(pid) + sum(family_cpu_seconds(child) for child in children(pid))


def children(pid: int) -> list[int]:
    """The living children of a process."""
    listed = Path(f"/proc/{pid}/task").glob("*/children")
    return [int(child) for path in listed for child in path.read_text(encoding="ascii").split()]


def parent(pid: int) -> int:
    """The parent of a process."""
    return int(_fields(pid)[1])


def _fields(pid: int) -> list[str]:
    # The name before the last parenthesis may hold spaces.
    text = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    return text.rpartition(")")[2].split()
