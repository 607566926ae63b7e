"""How many cores a process may plan with: its affinity, and what its container allows."""

import math
import os
from pathlib import Path

from config.control_groups import MOUNT, PROC, limits, words


def available_cores(groups: Path = PROC, mount: Path = MOUNT) -> int:
    """The cores that this process may use, at least 1.

    A container's limit is a quota of time (`--cpus 1.5`), which the number of cores that the
    kernel shows says nothing of. It is rounded up, and the narrowest of the enclosing groups
    counts. `groups` and `mount` are where the kernel tells; see cgroups(7), both versions.
    """
    allowed = len(os.sched_getaffinity(0))
    narrowest = min(limits("cpu", _unified, _legacy, groups, mount), default=math.inf)
    return max(1, min(allowed, math.ceil(min(narrowest, allowed))))


def shares(cores: int, processes: int) -> list[int]:
    """Split the cores between processes as evenly as they go, at least one for each."""
    each, rest = divmod(cores, processes)
    return [max(1, each + (number < rest)) for number in range(processes)]


def _unified(folder: Path) -> float | None:
    said = words(folder / "cpu.max")
    if len(said) != 2 or said[0] == "max":  # noqa: PLR2004 - quota and period
        return None
    return int(said[0]) / int(said[1])


def _legacy(folder: Path) -> float | None:
    quota, period = words(folder / "cpu.cfs_quota_us"), words(folder / "cpu.cfs_period_us")
    if not quota or not period or int(quota[0]) <= 0:
        return None
    return int(quota[0]) / int(period[0])
