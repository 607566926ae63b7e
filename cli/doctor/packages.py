"""Checks that the installed packages are those that Regatta was tested with."""

import re
from collections.abc import Iterable, Iterator, Mapping
from importlib import metadata
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from cli.doctor.finding import Finding, Status
from config.settings import Settings

_LOCK = Path(__file__).parents[2] / "requirements.lock"  # beside the code, if at all
_RIVALS = (
    # The packages of a group write the same files: the last one installed wins, partly.
    (
        "opencv-python-headless",
        "opencv-python",
        "opencv-contrib-python",
        "opencv-contrib-python-headless",
    ),
    ("paddlepaddle", "paddlepaddle-gpu"),
)
_SHOWN = 5


def check_packages(_settings: Settings) -> Iterator[Finding]:
    """Check this environment's packages."""
    wanted = metadata.requires("regatta") or []
    lock = _LOCK.read_text(encoding="utf-8") if _LOCK.exists() else ""
    yield from judge(installed(), wanted, lock)


def installed(path: list[str] | None = None) -> dict[str, str]:
    """Return the installed packages by canonical name, with their versions."""
    found = metadata.distributions() if path is None else metadata.distributions(path=path)
    versions: dict[str, str] = {}
    for each in found:  # of two with one name, the first on the path is the one that is imported
        versions.setdefault(canonicalize_name(each.metadata["Name"]), each.version)
    return versions


def judge(packages: Mapping[str, str], wanted: Iterable[str], lock: str) -> Iterator[Finding]:
    """Yield what is wrong with `packages`, given the requirements and the text of the lock."""
    bad = [*_clashes(packages), *_unfit(packages, wanted)]
    yield from bad
    different = list(_differences(packages, lock))
    if different:
        more = f" and {len(different) - _SHOWN} more" if len(different) > _SHOWN else ""
        yield Finding(
            "packages",
            Status.WARNING,
            f"not as locked: {', '.join(different[:_SHOWN])}{more}",
            "pip install --require-hashes -r requirements.lock",
        )
    if not bad and not different:
        yield Finding("packages", Status.OK, "as locked" if lock else "as required")


def _clashes(packages: Mapping[str, str]) -> Iterator[Finding]:
    for keep, *others in _RIVALS:
        there = [name for name in (keep, *others) if name in packages]
        if len(there) > 1:
            yield Finding(
                "packages",
                Status.FAILED,
                f"{' and '.join(there)} overwrite each other's files",
                f"pip uninstall {' '.join(there)}, then install the one that you need again",
            )


def _unfit(packages: Mapping[str, str], wanted: Iterable[str]) -> Iterator[Finding]:
    for line in wanted:
        required = Requirement(line)
        if required.marker is not None and not required.marker.evaluate({"extra": ""}):
            continue
        name = canonicalize_name(required.name)
        # The GPU build is a package with a name and versions of its own.
        if name == "paddlepaddle" and "paddlepaddle-gpu" in packages:
            continue
        version = packages.get(name)
        if version is None or not required.specifier.contains(version, prereleases=True):
            yield Finding(
                "packages",
                Status.FAILED,
                f"{name} is {version or 'missing'}, but has to be {required.specifier or 'there'}",
                f"pip install '{required.name}{required.specifier}'",
            )


def _differences(packages: Mapping[str, str], lock: str) -> Iterator[str]:
    """Yield packages that the lock has in another version; `_unfit` reports missing ones."""
    for line in re.findall(r"^[A-Za-z0-9][^\\\n]*==[^\\\n]*", lock, re.MULTILINE):
        locked = Requirement(line)
        if locked.marker is not None and not locked.marker.evaluate():
            continue
        version = packages.get(canonicalize_name(locked.name))
        if version is not None and not locked.specifier.contains(version, prereleases=True):
            yield f"{locked.name} {version} ({locked.specifier})"
