"""`regatta results`: prints what was found."""

import sys
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from fnmatch import fnmatchcase
from itertools import chain, islice
from typing import Any

import click

from annotations.rows import COLUMNS, line_rows
from cli import complete
from cli.options import format_option, raw_option
from cli.session import job_of, opened, say
from cli.show.output import FIRST_ROWS, chosen, print_records
from config.settings import load_settings
from core.errors import UsageError
from core.states import ItemState
from core.tasks import detections_of, task_of
from core.wording import count
from store.committed import committed_rows
from store.locations import is_folder, use_s3
from store.output import Output
from store.s3.location import is_s3
from store.s3.options import S3Options

Row = dict[str, Any]

_ROWS_ON_A_TERMINAL = 50
_COUNTED = 20_000  # rows that are counted, though not printed, before "more than" has to do
_LABELS_SHOWN = 4


@click.command(
    epilog="Example: regatta results latest --label person --min-score 0.5 --format csv; "
    "regatta results ./moved/output --limit 10"
)
@click.argument("job", metavar="JOB|PATH", shell_complete=complete.jobs)
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
@click.option(
    "--limit",
    type=click.IntRange(min=0),
    help="Print at most so many rows, 0 for all.  "
    f"[default: {_ROWS_ON_A_TERMINAL} in a table on a terminal, all elsewhere]",
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
    limit: int | None,
    form: str | None,
    raw: bool,
) -> None:
    """Print what JOB found so far: every committed result, in listing order.

    Instead of a job, PATH names an output wherever it is now: a folder (./out) or a prefix
    (s3://bucket/out). It is read without the job database.

    JSON formats print a row for each item, CSV a line for each detection (or each class that a
    picture was given). With --label or --min-score, items without any such are left out.
    """
    keep = _filter(items, frozenset(states))
    narrow = _narrowing(frozenset(labels), min_score)
    form = chosen(form)
    if limit is None and form == "table" and sys.stdout.isatty():
        limit = _ROWS_ON_A_TERMINAL
    with _rows_of(job) as found:
        rows = (narrowed for row in found if keep(row) and (narrowed := narrow(row)) is not None)
        _print(islice(rows, limit or None), form, raw=raw)
        if limit and (more := _more(rows)):
            say(f"… {more} more: --limit 0 or --format csv")


@contextmanager
def _rows_of(ref: str) -> Iterator[Iterator[Row]]:
    """Provide the rows of the job, or of the output, that a person means."""
    if is_s3(ref) or "/" in ref or ref in {".", ".."}:
        use_s3(S3Options(**load_settings().s3))
        output = Output(ref)
        if not output.is_whole:
            say("there is no manifest.json: the rows are those of the parts that are there")
        yield output.rows()
        return
    with opened() as (_, db):
        try:
            job = job_of(db, ref)
        except UsageError as error:
            if not is_folder(ref):
                raise
            raise UsageError(str(error), hint=f"a folder has a slash: ./{ref}") from error
        yield committed_rows(db, job)


def _print(rows: Iterator[Row], form: str, *, raw: bool) -> None:
    if form == "table":
        first = list(islice(rows, FIRST_ROWS))
        print_records(map(_table_row, chain(first, rows)), _columns(first), form)
    elif form == "csv":
        print_records(line_rows(rows), COLUMNS, form, raw=raw)
    else:
        print_records(rows, (), form)


def _columns(rows: Sequence[Row]) -> list[str]:
    """Return the columns of a table of such rows: only those that mean something for them."""
    tasks = {task_of(row["task"]) for row in rows}
    columns = ["item"]
    if len({row["model"] for row in rows}) > 1:
        columns.append("model")
    columns += ["state", "found"]
    if any(not (task.has_texts or task.has_shares) for task in tasks) or not tasks:
        columns.append("best")
    if any(task.has_texts for task in tasks):
        columns.append("text")
    columns.append("reason")
    if any("warning" in row for row in rows):
        columns.append("warning")
    return [*columns, "annotated"]


def _more(rows: Iterator[Row]) -> str | None:
    """Return how many rows are left, in words."""
    left = sum(1 for _ in islice(rows, _COUNTED + 1))
    return f"more than {_COUNTED:,}" if left > _COUNTED else f"{left:,}" if left else None


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
    found, task = detections_of(row), task_of(row["task"])
    labels = Counter(one["label"] for one in found)
    row = {**row, "found": None, "best": None, "text": None}
    if not found:
        return row
    if task.has_texts:
        lines = [one.get("text") or "" for one in found]
        return row | {"found": count(len(lines), task.noun), "text": " / ".join(lines)}
    if task.has_shares:
        shares = Counter[str]()
        for one in row["classes"] or found:
            shares[one["label"]] += one["score"]
        best = shares.most_common(_LABELS_SHOWN)
        return row | {"found": {label: f"{share:.0%}" for label, share in best}}
    best_one = max(found, key=lambda one: one["score"])
    return row | {
        "found": dict(labels.most_common(_LABELS_SHOWN)),
        "best": f"{best_one['label']} {best_one['score']:.2f}",
    }
