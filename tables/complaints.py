"""What is wrong with a query, in words."""

import re

import duckdb

from core.errors import FatalError, RegattaError, UsageError
from core.near import near_names, question
from tables.views import VIEWS

_NO_COLUMN = re.compile(
    r'(?:column|Column) "?(\w+)"? (?:not found|does not exist)|'
    r'does not have a column named "(\w+)"'
)
_NO_TABLE = re.compile(r"Table with name (.+?) does not exist")
_UNREADABLE = re.compile(r"registered as '(.+?)' failed: (.+)")
_NO_ROOM = re.compile("failed to allocate|bad_alloc")
_PREFIX = re.compile(r"^[A-Za-z ]+ Error: ")


def complaint(error: BaseException, memory: str) -> RegattaError:
    """Return what is wrong, and what to do about it; `memory` is what the query may use."""
    if isinstance(error, RegattaError):
        return error
    text = str(error).strip()
    is_short = isinstance(error, MemoryError | duckdb.OutOfMemoryException)
    if is_short or _NO_ROOM.search(text):
        return UsageError(
            f"the query needs more memory than the {memory} that it may use",
            hint="group or filter more, or give it more: --memory",
        )
    if found := _UNREADABLE.search(text):
        return FatalError(f"the {found[1]} cannot be read: {found[2]}")
    return _about_sql(text, is_forbidden=isinstance(error, duckdb.PermissionException))


def _about_sql(text: str, *, is_forbidden: bool) -> UsageError:
    """Return what DuckDB's message says, and which name may have been meant."""
    if found := _NO_TABLE.search(text):
        return _unknown("view", found[1], list(VIEWS))
    if found := _NO_COLUMN.search(text):
        columns = {one.name for columns in VIEWS.values() for one in columns}
        return _unknown("column", found[1] or found[2], sorted(columns))
    first = _PREFIX.sub("", text.splitlines()[0]) if text else "the query failed"
    if is_forbidden:
        return UsageError(f"a query reads the results of its jobs only: {first}")
    return UsageError(first, hint=_place(text))


def _unknown(what: str, name: str, known: list[str]) -> UsageError:
    near = question(near_names(name, known))
    listed = "`regatta query JOB` lists the views and their columns"
    return UsageError(f"there is no {what} {name!r}", hint=f"{near} {listed}" if near else listed)


def _place(text: str) -> str | None:
    """Return the line of the query that is at fault, if DuckDB names it."""
    lines = [line for line in text.splitlines() if line.startswith("LINE ")]
    return lines[0] if lines else None
