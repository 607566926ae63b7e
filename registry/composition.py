"""A TOML file that makes one model from several: its parts, and how they are used.

```toml
task = "keypoint"

[parts]
detector = "picodet"       # a registered name, or a path that starts at the file's directory
keypoint = "tinypose"

[options]
people = ["rower"]
```
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from core.errors import UsageError
from core.tasks import ROLES
from core.toml import LARGEST_BYTES, parse_toml

_KEYS = frozenset({"task", "parts", "options"})


@dataclass(frozen=True, slots=True)
class Composition:
    """What a file says, checked.

    `parts` are by role, in the order of `ROLES`; each is a registered name or the absolute path
    of an export. `options` belong to the task, which checks them.
    """

    task: str
    parts: Mapping[str, str]
    options: Mapping[str, Any] = field(default_factory=dict)


def read_composition(path: Path) -> Composition:
    """Read a file that names a model's parts, and make parts that are paths absolute.

    `picodet` is a name; `./picodet`, `../models/picodet`, `models/picodet`, `~/picodet` and
    `/models/picodet` are paths, as names hold no slash.

    Raises:
        UsageError: the file can't be read, is not TOML, or its task, a role or a part is unknown,
            missing or not text.
    """
    values = _read(path)
    unknown = sorted(set(values) - _KEYS)
    if unknown:
        raise UsageError(
            f"{path}: {', '.join(unknown)} is unknown",
            hint="a composed model has a task, [parts] and [options]",
        )
    task = values.get("task")
    if not isinstance(task, str) or task not in ROLES:
        said = "names no task" if task is None else f"names the task {task!r}"
        raise UsageError(
            f"{path} {said}", hint=f"models of several parts are for {' or '.join(ROLES)}"
        )
    options = values.get("options", {})
    if not isinstance(options, dict):
        raise UsageError(f"{path}: options is not a table", hint="write [options], lines below it")
    return Composition(task, _parts(values.get("parts"), task, path), options)


def _read(path: Path) -> dict[str, Any]:
    try:
        with path.open("rb") as file:
            return parse_toml(file.read(LARGEST_BYTES + 1))
    except (OSError, ValueError) as error:
        said = error.strerror if isinstance(error, OSError) else str(error)
        raise UsageError(
            f"{path} cannot be read: {said}",
            hint="it is a TOML file with a task and [parts]",
        ) from error


def _parts(found: Any, task: str, path: Path) -> dict[str, str]:
    roles = {role.name: role for role in ROLES[task]}
    needed = [role.name for role in ROLES[task] if not role.is_optional]
    if not isinstance(found, dict):
        raise UsageError(
            f"{path} names no parts", hint=f"write [parts] with {', '.join(needed)} below it"
        )
    unknown = [role for role in found if role not in roles]
    if unknown:
        raise UsageError(
            f"{path}: a model for {task} has no part {', '.join(map(repr, unknown))}",
            hint=f"its parts are {', '.join(roles)}",
        )
    missing = [role for role in needed if role not in found]
    if missing:
        raise UsageError(
            f"{path}: a model for {task} needs {' and '.join(missing)}",
            hint=f"name a registered model or an export's directory, as in {missing[0]} = "
            '"models/picodet"',
        )
    return {role: _part(found[role], role, path) for role in roles if role in found}


def _part(value: Any, role: str, path: Path) -> str:
    if not isinstance(value, str) or not value.strip():
        raise UsageError(
            f"{path}: {role} is {value!r}",
            hint="name a registered model, or the directory of an export",
        )
    if "/" not in value:
        return value
    return str((path.absolute().parent / Path(value).expanduser()).resolve())
