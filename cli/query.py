"""`regatta query`: asks questions about results, in SQL."""

import re
import sys
from collections.abc import Iterator

import click

from cli import complete
from cli.options import FORMATS, raw_option
from cli.session import job_of, opened
from cli.show.output import chosen, print_records
from cli.show.pipe import for_a_reader
from cli.sql import answering, limit_options, print_answer, write_parquet
from core.errors import UsageError
from tables.views import EXAMPLES, MEANINGS, VIEWS

_SQL = re.compile(r"\s*(--|/\*|\(|;)|.*\s", re.DOTALL)
_PARQUET = "parquet"


@click.command(
    epilog="""\b
Example: regatta query latest "from detections where score > 0.9" --limit 20
Example: regatta query night-1 night-2 --file question.sql --format csv"""
)
@click.argument("words", metavar="JOB... [SQL]", nargs=-1, shell_complete=complete.jobs)
@click.option(
    "--file",
    type=click.Path(dir_okay=False, allow_dash=True),
    help="Read the SQL from a file, `-` for stdin.",
)
@click.option(
    "--format",
    "form",
    type=click.Choice([*FORMATS, _PARQUET]),
    help="How to print.  [default: table on a terminal, ndjson elsewhere]",
)
@click.option(
    "--limit",
    type=click.IntRange(min=0),
    help="Print at most so many rows, 0 for all.  [default: 50 in a table on a terminal, all "
    "elsewhere]",
)
@raw_option
@limit_options
def query(
    *,
    words: tuple[str, ...],
    file: str | None,
    form: str | None,
    limit: int | None,
    raw: bool,
    timeout: float,
    memory: int | None,
) -> None:
    """Ask a question about the results of JOBs, in SQL; without SQL, list what can be asked.

    The SQL is one SELECT about the views `items`, `detections`, `keypoints`, `texts`, `classes`,
    `segments` and `quarantined`, in DuckDB's dialect. It sees what is committed so far, and can
    neither write anything nor read anything else.
    """
    refs, sql = _told(words, file)
    if sql is None:
        if form == _PARQUET:
            raise click.UsageError("--format parquet needs SQL")
        with opened() as (_, db):
            for ref in refs:
                job_of(db, ref)
        _print_views(chosen(form))
        return
    if form == _PARQUET and sys.stdout.isatty():
        raise UsageError("Parquet is not for terminals", hint="write it into a file: > FILE")
    with answering(timeout=timeout, memory=memory) as ask, opened() as (settings, db):
        answer = ask(db, settings, [job_of(db, ref) for ref in refs], sql)
        if form == _PARQUET:
            write_parquet(answer)
        else:
            print_answer(answer, chosen(form), raw=raw, limit=limit)


def _told(words: tuple[str, ...], file: str | None) -> tuple[tuple[str, ...], str | None]:
    """Return the jobs and the SQL, which is the last word if it has a blank in it."""
    sql = None if file is None else _read(file)
    if sql is None and words and _SQL.match(words[-1]):
        *refs, sql = words
        words = tuple(refs)
    if not words:
        raise click.UsageError("no JOB is named")
    return words, sql


def _read(file: str) -> str:
    try:
        with click.open_file(file, encoding="utf-8") as opened_file:
            return str(opened_file.read())
    except OSError as error:
        raise UsageError(f"{file!r} cannot be read: {error.strerror or error}") from error
    except UnicodeDecodeError as error:
        raise UsageError(f"{file!r} is no text in UTF-8: {error}") from error


def _print_views(form: str) -> None:
    if form != "table":
        print_records(_columns(), ("view", "column", "type", "meaning"), form)
        return
    with for_a_reader():
        for view, columns in VIEWS.items():
            click.echo(f"{view}: each row is {MEANINGS[view]}")
            width = max(len(one.name) for one in columns)
            for one in columns:
                click.echo(f"  {one.name.ljust(width)}  {one.meaning}")
            click.echo()
        click.echo("For example:")
        for sql in EXAMPLES:
            click.echo(f'  regatta query JOB "{sql}"')


def _columns() -> Iterator[dict[str, str]]:
    for view, columns in VIEWS.items():
        for one in columns:
            yield {
                "view": view,
                "column": one.name,
                "type": str(one.type),
                "meaning": one.meaning,
            }
