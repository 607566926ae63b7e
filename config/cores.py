"""How many cores a process may plan with: its affinity, and what its container allows."""

import math
import os
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

_PROC = Path("/proc/self/cgroup")
_MOUNT = Path("/sys/fs/cgroup")


def available_cores(groups: Path = _PROC, mount: Path = _MOUNT) -> int:
    """The cores that this process may use, at least 1.

    A container's limit is a quota of time (`--cpus 1.5`), which the number of cores that the
    kernel shows says nothing of. It is rounded up, and the narrowest of the enclosing groups
    counts. `groups` and `mount` are where the kernel tells; see cgroups(7), both versions.
    """
    allowed = len(os.sched_getaffinity(0))
    narrowest = min(_quotas(groups, mount), default=math.inf)
    return max(1, min(allowed, math.ceil(min(narrowest, allowed))))


def shares(cores: int, processes: int) -> list[int]:
    """Split the cores between processes as evenly as they go, at least one for each."""
    each, rest = divmod(cores, processes)
    return [max(1, each + (number < rest)) for number in range(processes)]


def _quotas(groups: Path, mount: Path) -> Iterator[float]:
    try:
        lines = groups.read_text(encoding="utf-8").splitlines()
    except OSError:
        return  # not Linux, or a /proc that hides it
    for line in lines:
        _, controllers, path = line.split(":", 2)
        names = controllers.split(",")
        if controllers == "":
            roots, quota_of = [mount], _unified
        elif "cpu" in names:
            roots, quota_of = [mount / controllers, mount / "cpu"], _legacy
        else:
            continue
        # Inside a container the path may be the host's, which is not there; its root then is.
        inside = PurePosixPath(path.lstrip("/"))
        for root in roots:
            for folder in (inside, *inside.parents):
                quota = quota_of(root / folder)
                if quota is not None:
                    yield quota


def _unified(folder: Path) -> float | None:
    words = _words(folder / "cpu.max")
    if len(words) != 2 or words[0] == "max":  # noqa: PLR2004 - quota and period
        return None
    return int(words[0]) / int(words[1])


def _legacy(folder: Path) -> float | None:
    quota, period = _words(folder / "cpu.cfs_quota_us"), _words(folder / "cpu.cfs_period_us")
    if not quota or not period or int(quota[0]) <= 0:
        return None
    return int(quota[0]) / int(period[0])


def _words(file: Path) -> list[str]:
    try:
        return file.read_text(encoding="ascii").split()
    except OSError:
        return []
