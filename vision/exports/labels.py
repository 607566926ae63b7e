"""Checks the labels that an export names."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from core.errors import UsageError

_LONGEST = 1000
_LARGEST_SHOWN = 1e15


def checked_labels(entries: Sequence[Any], where: str, path: Path) -> tuple[str, ...]:
    """Return the labels at `where` in a YAML file.

    Raises:
        UsageError: one is not a text, or a very long one.
    """
    for number, entry in enumerate(entries):
        if not isinstance(entry, str):
            shown = repr(entry) if entry is None or _is_short(entry) else f"a {_word(entry)}"
            raise UsageError(
                f"{where} in {path} has {shown}, which is not a string, at position {number}",
                hint="put it in quotes: YAML takes some characters and words for something else",
            )
        if len(entry) > _LONGEST:
            raise UsageError(
                f"{where} in {path} has a label of {len(entry):,} characters at position {number}",
                hint=f"a label has at most {_LONGEST:,}",
            )
    return tuple(entries)


def _is_short(entry: Any) -> bool:
    return isinstance(entry, int | float) and not abs(entry) > _LARGEST_SHOWN


def _word(entry: Any) -> str:
    return _WORDS.get(type(entry), "date")


_WORDS = {
    dict: "mapping",
    list: "list",
    bytes: "binary value",
    set: "set",
    int: "huge number",
    float: "huge number",
}
