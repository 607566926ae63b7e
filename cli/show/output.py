"""Prints records the way people or programs want them: table, JSON, NDJSON, CSV."""

import json
import shutil
import sys
import textwrap
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from itertools import chain, islice, zip_longest
from typing import Any

import click

from core.csv_text import csv_cell, csv_line, guarded
from core.escape import printable, printable_json

FIRST_ROWS = 200
"""The rows that decide the columns and widths of a streamed table."""

_GAP = 2
_LEAST_WIDTH = 13  # what a shortened column keeps; if that is too much, columns are left out
_ELLIPSIS = "…"
_KEEP_THEIR_END = frozenset({"item", "annotated", "source", "output", "location", "where"})
"""Columns of paths, whose ends tell them apart."""

_SENTENCES = frozenset({"when", "outcome"})
"""Columns that go on in the lines below if there is no room for them."""

_MOST_LINES = 6
_LEAST_OF_PATHS = 24  # less of a path says nothing, and the room is better spent
_NAMES = frozenset({"id", "name"})
"""Columns of what people type again: not shortened, if a third of the room is enough."""

_NOTHING = "-"

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
    records: Iterable[Record],
    columns: Sequence[str],
    form: str,
    *,
    raw: bool = False,
    named: bool = False,
) -> None:
    """Print records as they come, `columns` in tables and CSV, all fields in JSON.

    In CSV, text that a spreadsheet would take for a formula gets an apostrophe, unless `raw`.
    Tables have headings in capitals, unless somebody else `named` the columns.
    """
    if form == "table":
        _print_table(records, columns, titles=list(map(printable if named else _title, columns)))
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
        return _NOTHING
    if isinstance(value, float):
        return f"{value:,.3g}" if abs(value) < 1000 else f"{value:,.0f}"  # noqa: PLR2004
    if isinstance(value, list | tuple):
        return printable(", ".join(map(str, value))) or _NOTHING
    if isinstance(value, Mapping):
        return printable(", ".join(f"{key} {number}" for key, number in value.items())) or _NOTHING
    return printable(str(value))


def _dump(record: Record, indent: int | None = None) -> str:
    return json.dumps(record, ensure_ascii=False, indent=indent)


def _print_csv(records: Iterable[Record], columns: Sequence[str], *, raw: bool) -> None:
    tame = printable if sys.stdout.isatty() else str
    guard = str if raw else guarded
    sys.stdout.write(csv_line(columns))
    for record in records:
        cells = (csv_cell(record.get(name), tame) for name in columns)
        sys.stdout.write(csv_line([guard(c) if isinstance(c, str) else c for c in cells]))


def _title(column: str) -> str:
    return printable(column.replace("_", " ").upper())


def _print_table(
    records: Iterable[Record], columns: Sequence[str], *, titles: Sequence[str]
) -> None:
    """Print a table whose widths come from its first rows.

    On a terminal it is as wide as the terminal at most: long cells are shortened, or go on below
    if they are sentences; and if that is not enough, columns that are empty, or else the last
    ones, are left out. Elsewhere nothing is cut, and later rows may stick out.
    """
    from rich.cells import cell_len  # noqa: PLC0415 - only tables need it

    room = shutil.get_terminal_size().columns if sys.stdout.isatty() else None
    records = iter(records)
    first = [[cell(each.get(name)) for name in columns] for each in islice(records, FIRST_ROWS)]
    widths = [max(map(cell_len, texts)) for texts in zip(titles, *first, strict=True)]
    shown = list(range(len(columns)))
    empty = {place for place in shown if first and all(row[place] == _NOTHING for row in first)}
    if room is not None:
        shown, widths = _laid_out(columns, widths, empty, room)
    rows = ([cell(each.get(columns[place])) for place in shown] for each in records)
    known = ([row[place] for place in shown] for row in (titles, *first))
    for row in chain(known, rows):
        if room is None:
            lines = [row]
        else:
            fitted = [
                _fitted(columns[place], text, width)
                for text, width, place in zip(row, widths, shown, strict=True)
            ]
            lines = [list(line) for line in zip_longest(*fitted, fillvalue="")]
        for line in lines:
            click.echo((" " * _GAP).join(_padded(line, widths, cell_len)).rstrip())
    if hidden := [titles[place] for place in range(len(titles)) if place not in {*shown, *empty}]:
        them = "it" if len(hidden) == 1 else "them"
        click.echo(f"no room for {', '.join(hidden)}: --format json shows {them}", err=True)


def _laid_out(
    columns: Sequence[str], widths: Sequence[int], empty: Collection[int], room: int
) -> tuple[list[int], list[int]]:
    """Return the places of the columns that are shown, and how wide each is."""
    least = [
        min(width, max(_LEAST_WIDTH, room // 3) if name in _NAMES else _LEAST_WIDTH)
        for name, width in zip(columns, widths, strict=True)
    ]
    shown = _fitting(least, widths, empty, room)
    while True:
        narrowed = _narrowed([widths[place] for place in shown], [least[p] for p in shown], room)
        scraps = [
            place
            for place, width in zip(shown[1:], narrowed[1:], strict=True)
            if columns[place] in _KEEP_THEIR_END and width < min(widths[place], _LEAST_OF_PATHS)
        ]
        if not scraps:
            return shown, narrowed
        shown.remove(scraps[-1])


def _fitting(
    least: Sequence[int], widths: Sequence[int], empty: Collection[int], room: int
) -> list[int]:
    """Return the places of the columns that fit: empty ones give way first, then the last."""
    shown = list(range(len(widths)))
    while len(shown) > 1 and not _fits([least[place] for place in shown], room):
        shown.remove(max((place for place in shown[1:] if place in empty), default=shown[-1]))
    if not _fits([widths[place] for place in shown], room):
        shown = [place for place in shown if place not in empty] or shown[:1]
    return shown


def _fits(widths: Sequence[int], room: int) -> bool:
    return sum(widths) + _GAP * (len(widths) - 1) <= room


def _cut(widths: Sequence[int], least: Sequence[int], most: int) -> list[int]:
    return [min(width, max(most, floor)) for width, floor in zip(widths, least, strict=True)]


def _narrowed(widths: Sequence[int], least: Sequence[int], room: int) -> list[int]:
    """Return widths that fit, the widest columns cut to one width; narrow ones keep theirs."""
    most = max(widths, default=0)
    while most > 1 and not _fits(_cut(widths, least, most), room):
        most -= 1
    narrowed = _cut(widths, least, most)
    if not _fits(narrowed, room):  # a single column, on a very narrow terminal
        narrowed = [min(width, room) for width in narrowed]
    for place, width in enumerate(widths):  # what is left after cutting all of them alike
        spare = room - sum(narrowed) - _GAP * (len(widths) - 1)
        narrowed[place] += max(0, min(width - narrowed[place], spare))
    return narrowed


def shortened(text: str, width: int, *, keep_end: bool = False) -> str:
    """Return text that takes `width` columns at most, an ellipsis for what was cut off.

    Wide characters (CJK, most emoji) take two columns.
    """
    from rich.cells import cell_len, set_cell_size  # noqa: PLC0415 - only tables need it

    if cell_len(text) <= width:
        return text
    if not keep_end:
        return str(set_cell_size(text, width - 1)).rstrip() + _ELLIPSIS
    kept = text
    while kept and cell_len(kept) > width - 1:
        kept = kept[max(1, (cell_len(kept) - width + 1) // 2) :]
    return _ELLIPSIS + kept


def _fitted(column: str, text: str, width: int) -> list[str]:
    """Return a cell as lines of at most `width` columns: one, or a few if it is a sentence."""
    if column not in _SENTENCES:
        return [shortened(text, width, keep_end=column in _KEEP_THEIR_END)]
    lines = textwrap.wrap(text, width, max_lines=_MOST_LINES, placeholder=f" {_ELLIPSIS}")
    return [shortened(each, width) for each in lines] or [""]


def _padded(row: Sequence[str], widths: Sequence[int], length: Any) -> Iterator[str]:
    for text, width in zip(row, widths, strict=True):
        yield text + " " * (width - length(text))
