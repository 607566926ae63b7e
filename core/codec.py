"""Values as plain JSON: written for every version that may read them, read with care.

What another version wrote is read by two rules. A key that is missing has its default; a key, or a
word, that is unknown means something that this version would get wrong by leaving it out, so that
the whole is left for a newer one.
"""

from collections.abc import Mapping
from dataclasses import MISSING, fields
from typing import Any

from core.errors import NewerError
from core.option import IS_LATER


def written(value: Any) -> dict[str, Any]:
    """Return a dataclass's fields by their names.

    A field that came with a later version than its class is left out while it has its default:
    the versions before, which refuse keys that they do not know, can still read the rest.
    """
    return {
        field.name: getattr(value, field.name)
        for field in fields(value)
        if not field.metadata.get(IS_LATER) or getattr(value, field.name) != field.default
    }


def known(data: Mapping[str, Any], what: str, *kinds: type[Any]) -> Mapping[str, Any]:
    """Return `data`, whose keys are fields of these dataclasses; `what` is what one is called.

    Raises:
        NewerError: there are others, or one is missing that has no default.
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
