"""How much of this machine a process may use: cores and memory, as control groups limit them."""

import math
import os
from collections.abc import Callable, Iterator
from pathlib import Path, PurePosixPath

PROC = Path("/proc/self/cgroup")
MOUNT = Path("/sys/fs/cgroup")

Limit = Callable[[Path], float | None]
"""Reads the limit that a group's folder states; None if there is none."""


def limits(
    controller: str, unified: Limit, legacy: Limit, groups: Path, mount: Path
) -> Iterator[float]:
    """Yield the limits of this process's group and of the enclosing ones, in no particular order.

    Args:
        controller: What is limited: `cpu`, `memory`.
        unified: Reads them in version 2.
        legacy: Reads them in version 1.
        groups: Where the kernel lists the process's groups, like `PROC`.
        mount: Where it mounts them, like `MOUNT`.
    """
    try:
        lines = groups.read_text(encoding="utf-8").splitlines()
    except OSError:
        return  # not Linux, or a /proc that hides them
    for line in lines:
        _, controllers, path = line.split(":", 2)
        names = controllers.split(",")
        if controllers == "":
            roots, limit_of = [mount], unified
        elif controller in names:
            roots, limit_of = [mount / controllers, mount / controller], legacy
        else:
            continue
        # In a container the path may be the host's and not exist here; then its root counts.
        inside = PurePosixPath(path.lstrip("/"))
        for root in roots:
            for folder in (inside, *inside.parents):
                limit = limit_of(root / folder)
                if limit is not None:
                    yield limit


def words(file: Path) -> list[str]:
    """Return the words in a group's file; none if there is no such file."""
    try:
        return file.read_text(encoding="ascii").split()
    except OSError:
        return []


def available_cores(groups: Path = PROC, mount: Path = MOUNT) -> int:
    """Return the number of cores that this process may use, at least 1.

    A container's limit is a quota of time (`--cpus 1.5`), which the kernel's number of cores does
    not reflect. It is rounded up, and the narrowest of the enclosing groups counts. For `groups`
    and `mount` see `limits`, and cgroups(7) for both versions.
    """
    allowed = len(os.sched_getaffinity(0))
    narrowest = min(limits("cpu", _cpu_unified, _cpu_legacy, groups, mount), default=math.inf)
    return max(1, min(allowed, math.ceil(min(narrowest, allowed))))


def shares(cores: int, processes: int) -> list[int]:
    """Split the cores between processes as evenly as possible, at least one for each."""
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
    """Return the bytes that this process may use, some of which others may have taken already.

    The narrowest of the enclosing groups counts. For `groups` and `mount` see `limits`.
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
