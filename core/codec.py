"""Reads and writes values as plain JSON that other versions may have written, or may read.

Two rules hold for what another version wrote. A missing key has its default. An unknown key or word
means something that this version would get wrong by ignoring it, so the whole value is left to a
newer version.
"""

from collections.abc import Mapping
from dataclasses import MISSING, fields
from typing import Any

from core.errors import NewerError
from core.option import IS_LATER


def to_plain(value: Any) -> dict[str, Any]:
    """Return a dataclass's fields by their names.

    A field that was added to its class later is left out while it has its default: earlier
    versions, which refuse unknown keys, can still read the rest.
    """
    return {
        field.name: getattr(value, field.name)
        for field in fields(value)
        if not field.metadata.get(IS_LATER) or getattr(value, field.name) != field.default
    }


def checked_keys(data: Mapping[str, Any], what: str, *kinds: type[Any]) -> Mapping[str, Any]:
    """Return `data` after checking that its keys are fields of these dataclasses.

    Raises:
        NewerError: a key is unknown, or one without a default is missing; `what` is what the
            message calls a key.
    """
    found = {field.name: field for kind in kinds for field in fields(kind)}
    unknown = sorted(data.keys() - found.keys())
    if unknown:
        raise NewerError(", ".join(f"{what} {name!r}" for name in unknown))
    missing = [
        name
        for name, field in found.items()
        if name not in data and field.default is MISSING and field.default_factory is MISSING
    ]
    if missing:
        raise NewerError(f"no {what} {missing[0]!r}")
    return data
