"""Keeps the last lines that are logged about each shard that runs here, for its row.

Whoever looks into an item's quarantine need not get at the log of the machine that ran it.
"""

import sys
import threading
import traceback
from collections import deque
from collections.abc import MutableMapping
from datetime import UTC, datetime
from typing import Any

from config.logs import safe
from core.keys import key_to_text
from store.shard_log import MOST_ITEM_LINES, MOST_LINES, Line

_UNSAID = frozenset({"job", "shard", "exc_info", "stack_info"})


class KeptLines:
    """Lines by shard and attempt. It is a processor of structlog's, and drops nothing."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._lines: dict[int, tuple[deque[Line], deque[Line]]] = {}

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
                kept["item" in line].append(line)
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
            found = [line for lines in self._lines.get(shard, ()) for line in lines]
        return sorted(found, key=lambda line: str(line["timestamp"]))


def _traceback(exc_info: Any) -> str | None:
    error = exc_info if isinstance(exc_info, BaseException) else sys.exc_info()[1]
    if not exc_info or error is None:
        return None
    return "".join(traceback.format_exception(error, limit=-8))


KEPT = KeptLines()
"""Those of this process: logging is configured once for all of it."""
