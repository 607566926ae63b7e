"""Reads docker-compose.yml as Docker does, so that its commands can run without Docker."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).parents[2]

_VARIABLE = re.compile(r"\$(?:(\$)|\{(\w+)(?:(:\?|:-)([^}]*))?\})")


class UnsetError(Exception):
    """A variable has no value, and the file says that it needs one."""


def read_compose(variables: Mapping[str, str]) -> dict[str, Any]:
    """The file with its variables replaced.

    Raises:
        UnsetError: one that the file insists on is unset or empty.
    """
    text = (ROOT / "docker-compose.yml").read_text(encoding="utf-8")
    read = yaml.safe_load(text)
    assert isinstance(read, dict)
    return {key: _filled(value, variables) for key, value in read.items()}


def read_example() -> dict[str, str]:
    """The variables in .env.example, most of them empty."""
    lines = (ROOT / ".env.example").read_text(encoding="utf-8").splitlines()
    return dict(line.split("=", 1) for line in lines if line and not line.startswith("#"))


def _filled(value: Any, variables: Mapping[str, str]) -> Any:
    if isinstance(value, dict):
        return {key: _filled(each, variables) for key, each in value.items()}
    if isinstance(value, list):
        return [_filled(each, variables) for each in value]
    if not isinstance(value, str):
        return value

    def replace(match: re.Match[str]) -> str:
        dollar, name, kind, word = match.groups()
        found = variables.get(name or "", "")
        if dollar:
            return "$"
        if not found and kind == ":?":
            raise UnsetError(f"{name}: {word}")
        return found or (word if kind == ":-" else "")

    return _VARIABLE.sub(replace, value)
