"""Prints records the way people or programs want them: table, JSON, NDJSON, CSV."""

import csv
import io
import json
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import chain, islice
from typing import Any

import click

from core.escape import printable, printable_json

_CRLF = "\r\n"  # whatever is in a line's end gets quotes elsewhere
_FIRST_ROWS = 200  # the rows that decide the column widths of a streamed table

# https://owasp.org/www-community/attacks/CSV_Injection
_FORMULA_SIGNS = ("=", "+", "-", "@", "\t", "\r")

Record = Mapping[str, Any]


def chosen(form: str | None) -> str:
    """Return the format to print in: the one asked for, else what suits stdout."""
    return form or ("table" if sys.stdout.isatty() else "ndjson")


def print_object(record: Record, form: str) -> None:
    """Print one record; JSON formats get one object."""
    if form == "table":
        width = max((len(key) for key in record), default=0)
        for key, value in record.items():
            click.echo(f"{printable(key).ljust(width)}  {cell(value)}")
    elif form == "csv":
        print_records([record], list(record), form)
    else:
        click.echo(printable_json(_dump(record, indent=2 if form == "json" else None)))


def print_records(
    records: Iterable[Record], columns: Sequence[str], form: str, *, raw: bool = False
) -> None:
    """Print records as they come, `columns` in tables and CSV, all fields in JSON.

    In CSV, text that a spreadsheet would take for a formula gets an apostrophe, unless `raw`.
    """
    if form == "table":
        _print_table(records, columns)
    elif form == "csv":
        _print_csv(records, columns, raw=raw)
    elif form == "ndjson":
        for record in records:
            click.echo(printable_json(_dump(record)))
    else:
        separator = "[\n"
        for record in records:
            click.echo(separator + printable_json(_dump(record)), nl=False)
            separator = ",\n"
        click.echo("[]" if separator == "[\n" else "\n]")


def cell(value: Any) -> str:
    """Return a value as a table shows it, on one line."""
    if value is None:
        return "-"
    if isinstance(value, float):
        return f"{value:,.3g}" if abs(value) < 1000 else f"{value:,.0f}"  # noqa: PLR2004
    if isinstance(value, list | tuple):
        return printable(", ".join(map(str, value))) or "-"
    if isinstance(value, Mapping):
        return printable(", ".join(f"{key} {number}" for key, number in value.items())) or "-"
    return printable(str(value))


def _dump(record: Record, indent: int | None = None) -> str:
    return json.dumps(record, ensure_ascii=False, indent=indent)


def _print_csv(records: Iterable[Record], columns: Sequence[str], *, raw: bool) -> None:
    tame = printable if sys.stdout.isatty() else str
    guard = str if raw else guarded
    sys.stdout.write(_csv_line(columns))
    for record in records:
        cells = (_csv_cell(record.get(name), tame) for name in columns)
        sys.stdout.write(_csv_line([guard(c) if isinstance(c, str) else c for c in cells]))


def _csv_line(cells: Sequence[Any]) -> str:
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


def _csv_cell(value: Any, tame: Any) -> Any:
    if isinstance(value, list | tuple):
        return tame(" ".join(map(str, value)))
    if isinstance(value, Mapping):
        return tame(_dump(value))
    return tame(value) if isinstance(value, str) else value


def _print_table(records: Iterable[Record], columns: Sequence[str]) -> None:
    """Print a table whose widths come from its first rows; later ones may stick out."""
    from rich.cells import cell_len  # noqa: PLC0415 - only tables need it

    rows = ([cell(record.get(name)) for name in columns] for record in records)
    first = list(islice(rows, _FIRST_ROWS))
    titles = [name.replace("_", " ").upper() for name in columns]
    widths = [max(map(cell_len, texts)) for texts in zip(titles, *first, strict=True)]
    for row in chain([titles], first, rows):
        click.echo("  ".join(_padded(row, widths, cell_len)).rstrip())


def _padded(row: Sequence[str], widths: Sequence[int], length: Any) -> Iterator[str]:
    for text, width in zip(row, widths, strict=True):
        yield text + " " * (width - length(text))
