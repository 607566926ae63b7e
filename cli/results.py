"""`regatta results`: prints what was found."""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from fnmatch import fnmatchcase
from typing import Any

import click

from cli.options import format_option, job_argument, raw_option
from cli.session import job_of, opened
from cli.show.output import chosen, print_records
from core.options import ModelRef
from core.states import ItemState
from core.tasks import detections_of
from store.committed import committed_rows

Row = dict[str, Any]

_TABLE = ("item", "state", "found", "best", "annotated", "reason")
_TABLE_OF_SEVERAL = ("item", "model", *_TABLE[1:])
_CSV = (
    *("item", "task", "model", "state", "width", "height", "label", "class_id", "score"),
    *("x1", "y1", "x2", "y2", "text", "mask", "cutout", "annotated", "reason"),
)


@click.command(epilog="Example: regatta results latest --label person --min-score 0.5 --format csv")
@job_argument
@click.option(
    "--item", "items", multiple=True, metavar="GLOB", help="Only items whose names match."
)
@click.option("--label", "labels", multiple=True, help="Only detections with this label.")
@click.option(
    "--min-score", type=click.FloatRange(0, 1), help="Only detections that score this or more."
)
@click.option(
    "--state",
    "states",
    multiple=True,
    type=click.Choice([state.value for state in ItemState]),
    help="Only items that ended in this state.",
)
@format_option
@raw_option
def results(
    *,
    job: str,
    items: tuple[str, ...],
    labels: tuple[str, ...],
    min_score: float | None,
    states: tuple[str, ...],
    form: str | None,
    raw: bool,
) -> None:
    """Print what JOB found so far: every committed result, in listing order.

    JSON formats print a row for each item, CSV a line for each detection (or each class that a
    picture was given). With --label or --min-score, items without any such are left out.
    """
    keep = _filter(items, frozenset(states))
    narrow = _narrowing(frozenset(labels), min_score)
    with opened() as (_, db):
        found = job_of(db, job)
        rows = committed_rows(db, found)
        rows = (narrowed for row in rows if keep(row) and (narrowed := narrow(row)) is not None)
        form = chosen(form)
        if form == "table":
            several = len(ModelRef.from_json(found.model).members) > 1
            print_records(map(_table_row, rows), _TABLE_OF_SEVERAL if several else _TABLE, form)
        elif form == "csv":
            print_records(_csv_rows(rows), _CSV, form, raw=raw)
        else:
            print_records(rows, (), form)


def _filter(items: tuple[str, ...], states: frozenset[str]) -> Callable[[Row], bool]:
    def keeps(row: Row) -> bool:
        named = not items or any(_is_like(row["item"], pattern) for pattern in items)
        return named and (not states or row["state"] in states)

    return keeps


def _is_like(item: str, pattern: str) -> bool:
    # A name that looks like a pattern is still a name.
    return item == pattern or fnmatchcase(item, pattern)


def _narrowing(labels: frozenset[str], min_score: float | None) -> Callable[[Row], Row | None]:
    """Return a function that keeps the wanted detections of a row, or gives None if it has none."""

    def wanted(found: Mapping[str, Any]) -> bool:
        return (not labels or found["label"] in labels) and found["score"] >= (min_score or 0.0)

    def narrow(row: Row) -> Row | None:
        found = [one for one in detections_of(row) if wanted(one)]
        kind = "detections" if row["detections"] else "classes"
        return {**row, kind: found} if found else None

    return narrow if labels or min_score is not None else lambda row: row


def _table_row(row: Row) -> Row:
    found = detections_of(row)
    labels = Counter(one["label"] for one in found)
    best = max(found, key=lambda one: one["score"], default=None)
    return {
        **row,
        "found": dict(labels.most_common(4)) if found else None,
        "best": None if best is None else f"{best['label']} {best['score']:.2f}",
    }


def _csv_rows(rows: Iterable[Row]) -> Iterator[Row]:
    """Yield a line per detection; an item without any keeps one line, so that none disappears."""
    for row in rows:
        for one in detections_of(row) or ({},):
            yield {**row, **_csv_detection(one)}


def _csv_detection(one: Mapping[str, Any]) -> Row:
    box = dict(zip(("x1", "y1", "x2", "y2"), one.get("box", ()), strict=False))
    return {name: one.get(name) for name in ("label", "class_id", "score", "text")} | box
