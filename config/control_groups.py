"""The limits that a container sets: see cgroups(7), both versions."""

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
