"""`regatta report`: one HTML page about a job."""

import os
import webbrowser
from urllib.parse import quote

import click

from cli.options import job_argument
from cli.session import job_of, opened, say
from core.errors import UsageError
from core.escape import printable
from core.layout import REPORT
from core.options import ModelRef
from report.page import Content, PictureUrl, relative_url, render
from report.pictures import embed, is_place, place_url
from report.snapshot import speeds
from report.statistics import read_statistics
from store.committed import committed_rows
from store.database import Database
from store.dismissals import dismissals_of
from store.jobs import tally
from store.locations import absolute, is_folder, open_store, split_location
from store.s3.location import is_s3
from store.settling import parts_of
from store.tables import Job


@click.command(epilog="Example: regatta report latest --open")
@job_argument
@click.option(
    "-o",
    "--output",
    metavar="FILE|DIR",
    help="Where to.  [default: report.html in the job's output]",
)
@click.option("--open", "show", is_flag=True, help="Show it in the browser.")
def report(*, job: str, output: str | None, show: bool) -> None:
    """Write a page about JOB: counts, charts, pictures, what went wrong, how it was made.

    The page is one file that needs no network. It can be made while the job runs, and shows
    what is committed so far. Its location is printed.
    """
    with opened() as (_, db):
        url = write_report(db, job_of(db, job), output)
    click.echo(printable(url))
    if show and not webbrowser.open(url):
        say("no browser could be opened")


def _place(file: str) -> tuple[str, str]:
    """Return the location and the key of a page that is to be written to `file`.

    Raises:
        UsageError: there is no such directory.
    """
    if file.endswith("/") or (not is_s3(file) and is_folder(file)):
        folder, name = file, REPORT
    else:
        folder, name = split_location(file)
    if not is_s3(folder) and not is_folder(folder):
        raise UsageError(f"there is no directory {folder!r}", hint="make it, or name another one")
    return folder, name


def write_report(db: Database, job: Job, file: str | None = None) -> str:
    """Write a job's page into `file`, or beside its results, and return the page's URL.

    If `file` is a directory, the page lies in it under its usual name.

    Raises:
        UsageError: the directory does not exist.
    """
    pictures = open_store(job.output)
    folder, name = _place(file) if file else (job.output, REPORT)
    statistics = read_statistics(committed_rows(db, job), ModelRef.from_json(job.model))
    gallery = statistics.gallery()
    embedded = list(embed(gallery, pictures))
    counts = db.read(lambda s: tally(s, [job]))
    content = Content(
        job=job,
        counts=counts[job.id],
        shards=db.read(lambda s: parts_of(s, job.id)),
        statistics=statistics,
        pictures=embedded,
        now=db.read(db.now),
        speed=db.read(lambda s: speeds(s, [job], counts, now=db.now(s))).get(job.id),
        unread=len(gallery) - len(embedded),
        dismissed=len(db.read(lambda s: dismissals_of(s, job.id))),
    )
    page = render(content, _seen_from(folder, job.output) if file else relative_url)
    target = open_store(folder)
    target.put(name, page.encode())
    return target.url(name)


def _seen_from(folder: str, output: str) -> PictureUrl:
    """Return the URLs of an output's objects for a page elsewhere: relative, so that both can move.

    What lies in a bucket or in another job's output has absolute URLs.
    """
    if is_s3(folder) or is_s3(output):
        url = open_store(output).url
    else:
        way = os.path.relpath(absolute(output), absolute(folder))

        def url(key: str) -> str:
            return quote(os.fsencode(f"{way}/{key}"))

    return lambda key: place_url(key) if is_place(key) else url(key)
