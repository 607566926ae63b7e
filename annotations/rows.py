"""Result rows as `regatta results` prints them, for exports: their files have absolute places."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import pyarrow as pa

from core.tasks import detections_of
from store.locations import absolute
from store.parts import print_rows

Row = dict[str, Any]

CSV_COLUMNS = (
    *("item", "task", "model", "state", "width", "height", "label", "class_id", "score"),
    *("x1", "y1", "x2", "y2", "text", "mask", "cutout", "annotated", "reason", "warning"),
)
"""The columns of rows as CSV."""

_PLAIN = ("label", "class_id", "score", "text", "track_id")
_FILES = ("mask", "cutout", "annotated")


def placed_rows(results: pa.Table) -> Iterator[Row]:
    """Yield rows (`store.view.VIEW_SCHEMA`) as they are printed.

    `uri` says where the item lies; it and the places of files are absolute paths or URLs.
    """
    for row in print_rows(results):
        root = absolute(row.pop("output")).rstrip("/")
        job, uri = row.pop("job"), row.pop("uri")
        files = {name: f"{root}/{row[name]}" for name in _FILES if row[name] is not None}
        yield {**row, **files, "uri": uri, "job": job}


def line_rows(rows: Iterable[Row]) -> Iterator[Row]:
    """Yield a row per detection, or per class that a picture was given, with its fields as columns.

    An item without any keeps one row, so that none disappears.
    """
    for row in rows:
        for one in detections_of(row) or ({},):
            yield {**row, **_detection(one)}


def area_of(detection: Mapping[str, Any]) -> float | None:
    """Return the pixels of a detection's box; None if it has none."""
    if "box" not in detection:
        return None
    x1, y1, x2, y2 = detection["box"]
    return float((x2 - x1) * (y2 - y1))


def _detection(one: Mapping[str, Any]) -> Row:
    box = dict(zip(("x1", "y1", "x2", "y2"), one.get("box", ()), strict=False))
    return {name: one.get(name) for name in _PLAIN} | box | {"area": area_of(one)}
