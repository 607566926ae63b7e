"""Explains invalid settings to the person who made them."""

import os
from collections.abc import Mapping
from typing import Any

from pydantic import ValidationError
from pydantic.fields import FieldInfo
from pydantic_core import ErrorDetails

from config.settings_file import find_settings_file
from core.errors import UsageError
from core.near import near_names


def usage_error(
    error: ValidationError, flags: Mapping[str, Any], fields: Mapping[str, FieldInfo]
) -> UsageError:
    """Return what is wrong with the settings, in words for the person who made them."""
    details = [entry for entry in error.errors() if entry["type"] != "default_factory_not_called"]
    messages = [_message(entry, flags, fields) for entry in details]
    names = {str(entry["loc"][0]) for entry in details if entry["loc"]} & set(fields)
    hints = [f"{name}: {fields[name].description}" for name in fields if name in names]
    return UsageError("\n".join(messages), hint="\n".join(hints) or None)


def _message(entry: ErrorDetails, flags: Mapping[str, Any], fields: Mapping[str, FieldInfo]) -> str:
    if not entry["loc"]:
        return entry["msg"].removeprefix("Value error, ")
    name = str(entry["loc"][0])
    origin = _origin(name, flags)
    if entry["type"] == "extra_forbidden":
        close = near_names(name, fields, most=1)
        guess = f"; is it {close[0]}?" if close else f"; there are {', '.join(fields)}"
        return f"unknown setting {name!r} ({origin}){guess}"
    # URLs may hold passwords.
    value = "" if name.endswith("_url") else f" = {entry['input']!r}"
    return f"{name}{value} ({origin}): {entry['msg'][0].lower()}{entry['msg'][1:]}"


def _origin(name: str, flags: Mapping[str, Any]) -> str:
    variable = f"REGATTA_{name.upper()}"
    if name in flags:
        return "from the command line"
    if os.environ.get(variable):
        return f"from {variable} in the environment"
    return f"from {find_settings_file(flags)}"
