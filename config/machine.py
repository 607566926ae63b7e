"""What of this machine a process may use: cores and memory, as control groups limit them."""

import math
import os
from collections.abc import Callable, Iterator
from pathlib import Path, PurePosixPath

PROC = Path("/proc/self/cgroup")
MOUNT = Path("/sys/fs/cgroup")

Limit = Callable[[Path], float | None]
"""Reads the limit that a group's folder states, None if it states none."""


def limits(
    controller: str, unified: Limit, legacy: Limit, groups: Path, mount: Path
) -> Iterator[float]:
    """Yield the limits of this process's group and those around it, in no useful order.

    Args:
        controller: What is limited: `cpu`, `memory`.
        unified: Reads them in version 2.
        legacy: Reads them in version 1.
        groups: Where the kernel tells the process's groups, as `PROC`.
        mount: Where it shows them, as `MOUNT`.
    """
    try:
        lines = groups.read_text(encoding="utf-8").splitlines()
    except OSError:
        return  # not Linux, or a /proc that hides it
    for line in lines:
        _, controllers, path = line.split(":", 2)
        names = controllers.split(",")
        if controllers == "":
            roots, limit_of = [mount], unified
        elif controller in names:
            roots, limit_of = [mount / controllers, mount / controller], legacy
        else:
            continue
        # Inside a container the path may be the host's, which is not there; its root then is.
        inside = PurePosixPath(path.lstrip("/"))
        for root in roots:
            for folder in (inside, *inside.parents):
                limit = limit_of(root / folder)
                if limit is not None:
                    yield limit


def words(file: Path) -> list[str]:
    """Return the words of a group's file; none if there is no such file."""
    try:
        return file.read_text(encoding="ascii").split()
    except OSError:
        return []


def available_cores(groups: Path = PROC, mount: Path = MOUNT) -> int:
    """The cores that this process may use, at least 1.

    A container's limit is a quota of time (`--cpus 1.5`), which the number of cores that the
    kernel shows says nothing of. It is rounded up, and the narrowest of the enclosing groups
    counts. `groups` and `mount` are where the kernel tells; see cgroups(7), both versions.
    """
    allowed = len(os.sched_getaffinity(0))
    narrowest = min(limits("cpu", _cpu_unified, _cpu_legacy, groups, mount), default=math.inf)
    return max(1, min(allowed, math.ceil(min(narrowest, allowed))))


def shares(cores: int, processes: int) -> list[int]:
    """Split the cores between processes as evenly as they go, at least one for each."""
    each, rest = divmod(cores, processes)
    return [max(1, each + (number < rest)) for number in range(processes)]


def _cpu_unified(folder: Path) -> float | None:
    said = words(folder / "cpu.max")
    if len(said) != 2 or said[0] == "max":  # noqa: PLR2004 - quota and period
        return None
    return int(said[0]) / int(said[1])


def _cpu_legacy(folder: Path) -> float | None:
    quota, period = words(folder / "cpu.cfs_quota_us"), words(folder / "cpu.cfs_period_us")
    if not quota or not period or int(quota[0]) <= 0:
        return None
    return int(quota[0]) / int(period[0])


def available_memory(groups: Path = PROC, mount: Path = MOUNT) -> int:
    """The bytes that this process may use, of which others may have taken some already.

    The narrowest of the enclosing groups counts. `groups` and `mount` are where the kernel tells.
    """
    machine = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return int(min([machine, *limits("memory", _memory_unified, _memory_legacy, groups, mount)]))


def _memory_unified(folder: Path) -> float | None:
    return _number(folder / "memory.max")


def _memory_legacy(folder: Path) -> float | None:
    return _number(folder / "memory.limit_in_bytes")


def _number(file: Path) -> float | None:
    said = words(file)
    return float(said[0]) if said and said[0] != "max" else None
