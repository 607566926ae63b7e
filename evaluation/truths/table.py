"""Truth in a CSV file with a header: a line a label, a box, or a line of text.

Columns are `item`, and `label` or `text`; boxes have `x1,y1,x2,y2`, outlines of text `x1,y1` to
`x4,y4`, all in pixels.
"""

import csv
import io
from collections.abc import Iterator, Sequence
from typing import NoReturn

import numpy as np

from core.errors import UsageError
from evaluation.things import Things
from evaluation.truth import Truth
from evaluation.truths.text import text_at

_ITEM = ("item", "image", "file", "file_name", "filename", "path")
_TEXT = ("text",)
_LABEL = ("label", "class", "category")
_BOX = ("x1", "y1", "x2", "y2")
_FAR = 1e9  # pixels: no picture reaches as far
_QUAD = (*_BOX, "x3", "y3", "x4", "y4")


def read_table(location: str, *, texts: bool) -> Truth:
    """Return the truth of a CSV file: what lines say if `texts`, else labels.

    A picture with several labels has several lines.

    Raises:
        UsageError: it is not CSV, lacks a column, or a line does not fit; the message names it.
    """
    lines = _records(location)
    _, header = next(lines, (1, []))
    columns = {name.strip().lower(): place for place, name in enumerate(header)}
    item = _column(location, columns, _ITEM, header)
    label = _column(location, columns, _TEXT if texts else _LABEL, header)
    corners = next((c for c in (_QUAD, _BOX) if all(name in columns for name in c)), ())
    names: dict[str, int] = {}
    labels: dict[str, int] = {}
    images: list[int] = []
    classes, outlines, said = [], [], []
    for line, row in lines:
        where = f"{location}, line {line}"
        if len(row) != len(header):
            raise UsageError(
                f"{where}: {len(row)} columns, {len(header)} in the header",
                hint="put names with commas or line breaks in double quotes",
            )
        image = names.setdefault(row[item], len(names))
        if not row[item]:
            raise UsageError(f"{where}: the item has no name", hint="name it, or remove the line")
        if not row[label]:
            continue  # a picture that shows nothing
        if not images and not any(row[columns[name]] for name in corners):
            corners = ()  # the columns are there, but say nothing
        images.append(image)
        said.append(row[label])
        classes.append(labels.setdefault("text" if texts else row[label], len(labels)))
        if corners:
            outlines.append(_outline([row[columns[name]] for name in corners], where))
    if not names:
        raise UsageError(f"{location} has no line below its header", hint="add item,label lines")
    boxes = [_around(outline) for outline in outlines] if corners else None
    things = Things.of(
        *(images, classes, boxes),
        texts=said if texts else None,
        outlines=outlines if corners else None,
    )
    return Truth(location, "CSV", list(names), tuple(labels), things, has_places=bool(corners))


def _records(location: str) -> Iterator[tuple[int, Sequence[str]]]:
    """Yield the lines that are not empty, each with its number."""
    reader = csv.reader(io.StringIO(text_at(location), newline=""), strict=True)
    try:
        for row in reader:
            if row:
                yield reader.line_num, row
    except csv.Error as error:
        raise UsageError(
            f"{location}, line {reader.line_num}: {error}", hint="is it CSV, with commas?"
        ) from error


def _column(
    location: str, columns: dict[str, int], wanted: Sequence[str], header: Sequence[str]
) -> int:
    for name in wanted:
        if name in columns:
            return columns[name]
    separated = any(mark in "".join(header) for mark in ";\t")
    raise UsageError(
        f"{location} has no column {wanted[0]!r}: its first line is {','.join(header)[:80]!r}",
        hint="separate columns by commas" if separated else "begin it with item,label or item,text",
    )


def _outline(words: Sequence[str], where: str) -> np.ndarray[tuple[int, ...], np.dtype[np.float64]]:
    try:
        values = [float(word) for word in words]
    except ValueError as error:
        raise UsageError(f"{where}: {error}", hint="coordinates are numbers of pixels") from error
    if not all(abs(value) <= _FAR for value in values):
        _refuse_far(where)
    if len(values) == len(_BOX):
        x1, y1, x2, y2 = values
        values = [x1, y1, x2, y1, x2, y2, x1, y2]
    return np.array(values).reshape(-1, 2)


def _refuse_far(where: str) -> NoReturn:
    what = "a coordinate is not finite, or beyond a billion pixels"
    raise UsageError(f"{where}: {what}", hint="correct it")


def _around(outline: np.ndarray[tuple[int, ...], np.dtype[np.float64]]) -> list[float]:
    """Return the box of an outline; of a CSV box its corners as they stand, even if reversed."""
    if len(outline) == len(_BOX) and (outline[1] == [outline[2, 0], outline[0, 1]]).all():
        x1, y1 = outline[0].tolist()
        x2, y2 = outline[2].tolist()
        return [x1, y1, x2 - x1, y2 - y1]
    low, high = outline.min(axis=0), outline.max(axis=0)
    return [*low.tolist(), *(high - low).tolist()]
