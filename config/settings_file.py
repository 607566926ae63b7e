"""Finds and reads the settings file, `regatta.toml`."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic.fields import FieldInfo
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource

from core.errors import UsageError
from core.toml import LARGEST_BYTES, parse_toml

FILE_NAME = "regatta.toml"
_PATHS = ("home", "objects", "models_directory")


def default_home() -> Path:
    """Return the default home: `regatta` in the user's data directory."""
    data = os.environ.get("XDG_DATA_HOME") or "~/.local/share"
    return Path(data).expanduser() / "regatta"


def find_settings_file(flags: Mapping[str, Any]) -> Path | None:
    """Return `REGATTA_CONFIG`, else `regatta.toml` in the current directory or the home, if any.

    The home comes from the flags or the environment: the file that is sought can't name it.

    Raises:
        UsageError: `REGATTA_CONFIG` does not name a file.
    """
    named = os.environ.get("REGATTA_CONFIG")
    if named:
        path = Path(named).expanduser().absolute()
        if not path.is_file():
            raise UsageError(
                f"REGATTA_CONFIG names {named!r}, which is not a file",
                hint="correct it, or unset it to use regatta.toml",
            )
        return path
    home = Path(flags.get("home") or os.environ.get("REGATTA_HOME") or default_home())
    places = (Path.cwd() / FILE_NAME, home.expanduser().absolute() / FILE_NAME)
    return next((path for path in places if path.is_file()), None)


def read_settings_file(path: Path) -> dict[str, Any]:
    """Return the entries of a settings file; relative paths in it start at its directory.

    Raises:
        UsageError: it can't be read, or is not TOML.
    """
    try:
        with path.open("rb") as file:
            values = parse_toml(file.read(LARGEST_BYTES + 1))
    except (OSError, ValueError) as error:
        raise UsageError(f"{path}: {error}", hint="the settings file is TOML") from error
    for name in _PATHS:
        value = values.get(name)
        if isinstance(value, str) and value and "://" not in value:
            values[name] = str(path.parent / Path(value).expanduser())
    return values


class SettingsFile(PydanticBaseSettingsSource):
    """The settings file as a source of settings; without a file there are none."""

    def __init__(self, settings_cls: type[BaseSettings], path: Path | None) -> None:
        super().__init__(settings_cls)
        self._values = {} if path is None else read_settings_file(path)

    def get_field_value(self, field: FieldInfo, field_name: str) -> tuple[Any, str, bool]:  # noqa: ARG002 - the signature is pydantic's
        """Return one entry, its name, and that its value is not JSON text."""
        return self._values.get(field_name), field_name, False

    def __call__(self) -> dict[str, Any]:
        """Return all entries, known or not: the model reports those that it does not know."""
        return self._values
