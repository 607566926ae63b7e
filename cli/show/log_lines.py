"""Lines of logs as people read them."""

import json
from typing import Any

from core.escape import printable

_ALWAYS = ("timestamp", "level", "event", "logger", "exception", "stack")
_LEVELS = {"info": "", "warning": "warning: ", "error": "error: ", "critical": "error: "}


def readable(line: str) -> str:
    """Return a log line written in JSON as `12:30:05 shard done items=32`; others as they are.

    The time is UTC, as in the log. Tracebacks stay on lines of their own.
    """
    try:
        entry = json.loads(line)
        when = str(entry["timestamp"])[11:19]
        event = str(entry["event"])
    except (ValueError, KeyError, TypeError, RecursionError):
        return printable(line)
    level = _LEVELS.get(str(entry.get("level")), "")
    details = [f"{name}={_value(value)}" for name, value in entry.items() if name not in _ALWAYS]
    first = printable(" ".join([f"{when}Z {level}{event}", *details]))
    below = (printable(text) for name in _ALWAYS[-2:] for text in _lines(entry.get(name)))
    return "\n".join([first, *below])


def _value(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:.4g}"
    if isinstance(value, str):
        return value if value and " " not in value else repr(value)
    return json.dumps(value, ensure_ascii=False)


def _lines(value: Any) -> list[str]:
    return str(value).splitlines() if value else []
