"""`regatta results`: prints what was found."""

import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import chain, islice
from typing import Any

import click

from annotations.rows import CSV_COLUMNS, line_rows
from cli import complete
from cli.narrowing import (
    COLUMNS,
    OF_DETECTIONS,
    REGEX,
    SORTED_BY,
    Filter,
    in_order,
    is_pattern,
    narrowing,
)
from cli.options import Number, format_option, raw_option
from cli.session import job_of, opened, say
from cli.show.output import FIRST_ROWS, chosen, print_records
from config.settings import load_settings
from core.errors import FatalError, UsageError
from core.states import ItemState
from core.tasks import detections_of, task_of
from core.wording import count
from store.committed import committed_rows
from store.database import Database
from store.finding import rows_of_items
from store.locations import is_folder, use_s3
from store.output import Output
from store.s3.location import is_s3
from store.s3.options import S3Options
from store.tables import Job

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
@click.option("--min-score", type=Number(0, 1), help="Only detections that score this or more.")
@click.option(
    "--min-area",
    type=Number(min=0),
    help="Only detections whose boxes have this many pixels or more.",
)
@click.option(
    "--text", metavar="REGEX", type=REGEX, help="Only lines of text that match, anywhere in them."
)
@click.option("--track", "tracks", multiple=True, type=int, help="Only detections of this track.")
@click.option("--model", "models", multiple=True, help="Only results of this model.")
@click.option(
    "--from",
    "start",
    type=Number(min=0),
    metavar="SECONDS",
    help="Only pictures of videos from here on.",
)
@click.option(
    "--to",
    "stop",
    type=Number(min=0),
    metavar="SECONDS",
    help="Only pictures of videos before this.",
)
@click.option(
    "--state",
    "states",
    multiple=True,
    type=click.Choice([state.value for state in ItemState]),
    help="Only items that ended in this state.",
)
@click.option(
    "--sort",
    "order",
    type=click.Choice([sign + name for name in SORTED_BY for sign in ("", "-")]),
    metavar="NAME|-NAME",
    help=f"In ascending order, with a minus in descending: {', '.join(SORTED_BY)}; `score` is the "
    "best of an item.",
)
@click.option(
    "--columns",
    type=COLUMNS,
    metavar="NAME,...",
    help="Print these columns only; with one of a detection, a line for each.",
)
@click.option(
    "--sql",
    help="Ask this instead, as `regatta query JOB SQL` does.",
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
    states: tuple[str, ...],
    models: tuple[str, ...],
    start: float | None,
    stop: float | None,
    order: str | None,
    columns: tuple[str, ...] | None,
    sql: str | None,
    limit: int | None,
    form: str | None,
    raw: bool,
    **wanted: Any,
) -> None:
    """Print what JOB found so far: every committed result, in listing order.

    Instead of a job, PATH names an output wherever it is now: a folder (./out) or a prefix
    (s3://bucket/out). It is read without the job database.

    JSON formats print a row for each item, CSV a line for each detection (or each class that a
    picture was given). With an option about detections, such as --label, items without any such
    are left out.
    """
    form = chosen(form)
    if sql is not None:
        others = (items, states, models, start, stop, order, columns, *wanted.values())
        if any(one not in (None, ()) for one in others):
            raise click.UsageError("--sql goes with --format, --limit and --raw only")
        _query(job, sql, form, limit=limit, raw=raw)
        return
    keep = Filter(items, states, models, start, stop).keeps
    narrow = narrowing(**wanted)
    narrowed_by = (*wanted.values(), items, states, models, start, stop)
    is_narrowed = any(value not in {None, ()} for value in narrowed_by)
    if limit is None and form == "table" and sys.stdout.isatty():
        limit = _ROWS_ON_A_TERMINAL
    with _rows_of(job, items) as found:
        kept = (narrow(row) for row in found if keep(row))
        rows: Iterator[Row] = (row for row in kept if row is not None)
        if order is not None:
            rows = in_order(rows, order, limit + _COUNTED + 1 if limit else None)
        first = list(islice(rows, 1))
        if not first and form == "table":
            say("there are no results that fit" if is_narrowed else "there are no results")
            return
        rows = chain(first, rows)
        _print(islice(rows, limit or None), form, columns, raw=raw)
        if limit and (more := _more(rows)):
            say(f"… {more} more: --limit 0 or --format csv")


def _query(ref: str, sql: str, form: str, *, limit: int | None, raw: bool) -> None:
    from cli.sql import answering, print_answer  # noqa: PLC0415 - few commands need it

    with answering() as ask, opened() as (settings, db):
        print_answer(ask(db, settings, [job_of(db, ref)], sql), form, raw=raw, limit=limit)


@contextmanager
def _rows_of(ref: str, items: tuple[str, ...]) -> Iterator[Iterator[Row]]:
    """Provide the rows of the job, or of the output, that a person means.

    Those of other items than `items`, names or patterns, may be missing.
    """
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
        yield _rows_of_job(db, job, items)


def _rows_of_job(db: Database, job: Job, items: tuple[str, ...]) -> Iterator[Row]:
    if items and not any(is_pattern(item) for item in items):
        try:
            return iter(list(rows_of_items(db, job, items)))
        except FatalError:
            pass  # without its lists of items, the job's rows still say whose they are
    return committed_rows(db, job)


def _print(rows: Iterator[Row], form: str, columns: tuple[str, ...] | None, *, raw: bool) -> None:
    if columns is not None:
        if not OF_DETECTIONS.isdisjoint(columns):
            rows = line_rows(rows)
        picked = ({name: row.get(name) for name in columns} for row in rows)
        print_records(picked, columns, form, raw=raw)
    elif form == "table":
        first = list(islice(rows, FIRST_ROWS))
        print_records(map(_table_row, chain(first, rows)), _columns(first), form)
    elif form == "csv":
        print_records(line_rows(rows), CSV_COLUMNS, form, raw=raw)
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
