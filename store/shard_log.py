"""The last lines that were logged about a shard, kept with its row while anything is wrong with it.

The logs of a worker lie on its machine; what they say about an item in quarantine lies here, too.
"""

from collections.abc import Mapping, Sequence
from math import isfinite
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from core.escape import storable
from store.tables import Shard

Line = Mapping[str, Any]
"""A line of the log: `timestamp`, `level`, `event`, and whatever else it says.

Lines about one item name it as `item`.
"""

MOST_LINES = 40
MOST_ITEM_LINES = 100
_MOST_CHARACTERS = 2000  # of a value, such as a traceback


def longer(log: Sequence[Any] | None, lines: Sequence[Line]) -> list[Any]:
    """Return a log with more lines, without the oldest if there are too many."""
    found = [*(log or ()), *(_storable(line) for line in lines)]
    kept: list[Any] = []
    left = {True: MOST_ITEM_LINES, False: MOST_LINES}
    for line in reversed(found):
        about_item = "item" in line
        if left[about_item]:
            left[about_item] -= 1
            kept.append(line)
    return kept[::-1]


def log_of(session: Session, shard: int) -> list[dict[str, Any]]:
    """Return what was logged about a shard lately, oldest line first."""
    return list(session.scalar(select(Shard.log).where(Shard.id == shard)) or ())


def _storable(line: Line) -> dict[str, Any]:
    return {name: _value(value) for name, value in line.items()}


def _value(value: Any) -> Any:
    if value is None or isinstance(value, bool | int):
        return value
    if isinstance(value, float) and isfinite(value):  # JSON has no others
        return value
    text = storable(str(value)).replace("\0", "\\0")
    return text if len(text) <= _MOST_CHARACTERS else f"…{text[-_MOST_CHARACTERS:]}"
