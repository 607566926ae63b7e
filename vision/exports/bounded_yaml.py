"""Parses YAML from strangers: only so much of it, only so deep, and no more than it seems.

PyYAML recurses in C over whatever a text holds, and an alias of a few bytes stands for all that its
anchor holds. So the text's events, which cost neither, are looked at first.
"""

import re
from typing import Any

import yaml

LARGEST_BYTES = 4 << 20
"""A YAML with the names of 20,000 classes has a twentieth of that."""

_DEEPEST = 64
_LONGEST_NUMBER = 100  # characters; to read 1:00:00 and so on takes time by their square
_NUMBER = re.compile(r"[-+0-9][-+0-9_:.xXa-fA-F\s]*")
_MOST_NODES = 200_000  # with each alias counted as what it stands for

# A recognizer's dictionary may have 18,000 lines: a second in Python, a tenth of that in C.
_LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)

# What PyYAML raises besides its own errors: `!!int ''`, a month 13, a number of 5,000 digits ...
_ODD = (ArithmeticError, AttributeError, LookupError, RecursionError, TypeError, ValueError)


def parse_yaml(text: str) -> Any:
    """Return the values in a YAML text.

    Raises:
        ValueError: it is not YAML, or more than anybody needs.
    """
    if len(text) > LARGEST_BYTES:
        raise ValueError(f"it has more than {LARGEST_BYTES:,} characters")
    try:
        _check(text)
        return yaml.load(text, Loader=_LOADER)  # noqa: S506 - it is safe
    except yaml.YAMLError as error:
        raise ValueError(str(error)) from error
    except _ODD as error:
        raise ValueError(f"a value in it is odd: {error}") from error


class _TooMuchError(yaml.YAMLError):
    """The text holds more than anybody needs."""


def _check(text: str) -> None:
    """Refuse a text that is too deep, or stands for too many values.

    Raises:
        YAMLError: it is, or it is not YAML.
    """
    open_sizes = [0]  # the values so far in each collection that is open
    open_anchors: list[str | None] = [None]
    sizes: dict[str, int] = {}  # what each anchor stands for
    for event in yaml.parse(text, Loader=_LOADER):
        anchor = getattr(event, "anchor", None)
        if isinstance(event, yaml.CollectionStartEvent):
            open_sizes.append(1)
            open_anchors.append(anchor)
            if len(open_sizes) > _DEEPEST:
                raise _TooMuchError(f"it is nested more than {_DEEPEST} levels deep")
            continue
        if isinstance(event, yaml.CollectionEndEvent):
            size, anchor = open_sizes.pop(), open_anchors.pop()
        elif isinstance(event, yaml.AliasEvent):
            if anchor not in sizes:
                raise _TooMuchError(f"*{anchor} stands for nothing, or for itself")
            size, anchor = sizes[anchor], None
        elif isinstance(event, yaml.ScalarEvent):
            size = _scalar_size(event.value)
        else:
            continue
        if anchor is not None:
            sizes[anchor] = size
        open_sizes[-1] += size
        if open_sizes[-1] > _MOST_NODES:
            raise _TooMuchError(f"it stands for more than {_MOST_NODES:,} values")


def _scalar_size(value: str) -> int:
    if len(value) > _LONGEST_NUMBER and _NUMBER.fullmatch(value):
        raise _TooMuchError(f"it has a number of {len(value):,} characters")
    return 1
