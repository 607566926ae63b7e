"""Words for people about lists that may be long."""

from collections.abc import Sequence

from core.escape import printable

_NAMED = 3


def some(names: Sequence[str]) -> str:
    """Return the first few of these names, and how many more there are."""
    first = ", ".join(printable(name) for name in names[:_NAMED])
    more = len(names) - _NAMED
    return f"{first} and {more:,} more" if more > 0 else first
