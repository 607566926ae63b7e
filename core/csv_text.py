"""Text in CSV: quoted so that every line is a record, and no spreadsheet takes it for a formula."""

import csv
import io
import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any

_CRLF = "\r\n"  # whatever is in a line's end gets quotes elsewhere

# https://owasp.org/www-community/attacks/CSV_Injection
_FORMULA_SIGNS = ("=", "+", "-", "@", "\t", "\r", "\n", "\uff1d", "\uff0b", "\uff0d", "\uff20")


def csv_line(cells: Sequence[Any]) -> str:
    """Return a line of CSV. Quotes keep carriage returns from beginning another one."""
    line = io.StringIO()
    csv.writer(line, lineterminator=_CRLF).writerow(cells)
    return line.getvalue().removesuffix(_CRLF) + "\n"


def guarded(text: str) -> str:
    """Return text that no spreadsheet takes for a formula: one gets an apostrophe in front.

    Numbers stay as they are.
    """
    if not text.startswith(_FORMULA_SIGNS):
        return text
    try:
        float(text)
    except ValueError:
        return f"'{text}"
    return text


def csv_cell(value: Any, tame: Callable[[str], str] = str) -> Any:
    """Return a value as a cell; `tame` is done to its text."""
    if isinstance(value, list | tuple):
        return tame(" ".join(map(str, value)))
    if isinstance(value, Mapping):
        return tame(json.dumps(value, ensure_ascii=False))
    return tame(value) if isinstance(value, str) else value
