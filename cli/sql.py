"""Prints what SQL finds in the results of jobs, as it is found."""

import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from itertools import chain, islice
from typing import Any

import click
import pyarrow as pa

from cli.options import SIZE, Number
from cli.session import say
from cli.show.output import print_records
from config.machine import available_cores, available_memory
from config.settings import Settings
from store.database import Database
from store.s3.options import S3Options
from store.tables import Job
from tables.asked import asked
from tables.query import Answer, Question, asking
from tables.records import records, unique

ROWS_ON_A_TERMINAL = 50

SECONDS = 300.0
_MOST_SECONDS = 7 * 86_400
_LEAST_MEMORY = 1 << 30


def limit_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command the options that bound a query."""
    for option in (
        click.option(
            "--memory",
            type=SIZE,
            help="What the query may use at most.  [default: half of this machine's, 1GiB or more]",
        ),
        click.option(
            "--timeout",
            type=Number(min=0, max=_MOST_SECONDS, min_open=True),
            default=SECONDS,
            show_default=True,
            metavar="SECONDS",
            help="How long to wait for the query.",
        ),
    ):
        command = option(command)
    return command


Ask = Callable[[Database, Settings, Sequence[Job], str], Answer]


@contextmanager
def answering(*, timeout: float = SECONDS, memory: int | None = None) -> Iterator[Ask]:
    """Provide the function that says what SQL finds in the results of jobs.

    It may raise UsageError: the query is none, or would need more than it may use; or FatalError:
    results are missing or damaged.
    """
    threads = available_cores()
    with asking(timeout) as ask:

        def answer(db: Database, settings: Settings, jobs: Sequence[Job], sql: str) -> Answer:
            question = Question(
                jobs=[asked(db, job) for job in {job.id: job for job in jobs}.values()],
                sql=sql,
                s3=S3Options(**settings.s3),
                threads=threads,
                memory=memory or max(_LEAST_MEMORY, available_memory() // 2),
                cpu_seconds=timeout * threads,
            )
            return ask(question)

        yield answer


def print_answer(answer: Answer, form: str, *, raw: bool, limit: int | None) -> None:
    """Print what was found; at most `limit` rows, all of them if it is 0.

    If it is None, a table on a terminal has `ROWS_ON_A_TERMINAL` at most.
    """
    if limit is None and form == "table" and sys.stdout.isatty():
        limit = ROWS_ON_A_TERMINAL
    names = unique(answer.schema.names)
    rows = records(answer.batches())
    # What goes wrong at once is said before anything is printed.
    first = list(islice(rows, 1))
    print_records(islice(chain(first, rows), limit or None), names, form, raw=raw, named=True)
    if limit and next(rows, None) is not None:
        say("… more rows: --limit 0 or --format csv")


def write_parquet(answer: Answer) -> None:
    """Write what was found to stdout, as a Parquet file."""
    from pyarrow import parquet  # noqa: PLC0415 - only this format needs it

    names = unique(answer.schema.names)
    schema = pa.schema(
        [field.with_name(name) for field, name in zip(answer.schema, names, strict=True)]
    )
    with parquet.ParquetWriter(sys.stdout.buffer, schema, compression="zstd") as writer:
        for batch in answer.batches():
            writer.write_batch(batch.rename_columns(names))
