"""Keeps the last lines that are logged about each shard that runs here, for its row.

Whoever looks into an item's quarantine need not get at the log of the machine that ran it.
"""

import itertools
import sys
import threading
import traceback
from collections import deque
from collections.abc import MutableMapping
from datetime import UTC, datetime
from operator import itemgetter
from typing import Any

from config.logs import safe
from core.keys import key_to_text
from store.shard_log import MOST_ITEM_LINES, MOST_LINES, Line

_Numbered = deque[tuple[int, Line]]
_UNSAID = frozenset({"job", "shard", "exc_info", "stack_info"})


class KeptLines:
    """Lines by shard and attempt. It is a processor of structlog's, and drops nothing."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._numbers = itertools.count()
        self._lines: dict[int, tuple[_Numbered, _Numbered]] = {}

    def __call__(
        self, _logger: Any, method: str, event: MutableMapping[str, Any]
    ) -> MutableMapping[str, Any]:
        """Keep a line if it is about a shard that runs here, whatever its level."""
        kept = self._lines.get(event.get("shard", -1))
        if kept is not None:
            line = {
                "timestamp": datetime.now(UTC).isoformat(timespec="milliseconds"),
                "level": "error" if method == "exception" else method,
                **{name: value for name, value in event.items() if name not in _UNSAID},
            }
            if (exception := _traceback(event.get("exc_info"))) is not None:
                line["exception"] = exception
            line = safe(line)
            if "item" in event:
                line["item"] = key_to_text(str(event["item"]))
            with self._lock:
                kept["item" in line].append((next(self._numbers), line))
        return event

    def begin(self, shard: int) -> None:
        """Keep what is logged about a shard from now on."""
        self._lines[shard] = (deque(maxlen=MOST_LINES), deque(maxlen=MOST_ITEM_LINES))

    def end(self, shard: int) -> None:
        """Keep nothing about a shard any more."""
        self._lines.pop(shard, None)

    def of(self, shard: int) -> list[Line]:
        """Return what was logged about a shard, in the order of time."""
        with self._lock:
            found = [each for lines in self._lines.get(shard, ()) for each in lines]
        return [line for _, line in sorted(found, key=itemgetter(0))]


def _traceback(exc_info: Any) -> str | None:
    error = exc_info if isinstance(exc_info, BaseException) else sys.exc_info()[1]
    if not exc_info or error is None:
        return None
    return "".join(traceback.format_exception(error, limit=-8))


KEPT = KeptLines()
"""Those of this process: logging is configured once for all of it."""
