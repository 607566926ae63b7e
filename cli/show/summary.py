"""What `run` says at the end: counts, what was found, where it is, what to type next."""

from collections.abc import Iterator
from itertools import groupby, islice
from operator import itemgetter

import click

from cli.show.output import print_object
from cli.show.pipe import for_a_reader
from cli.show.wording import dismissed_of, done_of, plain_networks
from core.errors import RegattaError
from core.escape import printable
from core.options import ModelRef
from core.passed_over import in_words
from core.states import JobState
from core.wording import count, duration, percent, speed
from report.findings import Findings
from report.snapshot import Snapshot
from report.statistics import Statistics, read_statistics
from store.committed import committed_rows, quarantined_rows
from store.database import Database
from store.dismissals import dismissals_of
from store.jobs import get_job
from store.locations import is_folder
from store.tables import Job

_CHEAP_ITEMS = 20_000  # reading more rows than this just to count labels takes too long
_TOP_LABELS = 10
_TEXT_SHOWN = 60  # characters of a line
_QUARANTINED_SHOWN = 10
_FOLDERS = {
    "results": "results",
    "pictures": "annotated",
    "masks": "masks",
    "cut-outs": "cutouts",
}
_WARNED_SHOWN = 5


def print_summary(db: Database, end: Snapshot, form: str | None) -> None:
    """Print how a job ended: the summary for people, or the snapshot in a format for programs.

    What is printed is not what the command is for: if nobody reads on, it still ends as the job.
    """
    with for_a_reader():
        if form in {"json", "ndjson", "csv"}:
            print_object(end, form)
            return
        for line in summary(db, end):
            click.echo(line)


def summary(db: Database, end: Snapshot) -> Iterator[str]:
    """Yield the lines of a job's summary."""
    job = db.read(lambda s: get_job(s, end["id"]))
    items = end["items"]
    yield f"Job {end['id']} ({printable(end['name'])}): {_ended(end)}"
    yield f"  items        {_counts(end)}"
    if end["comparison"]:
        yield f"  compared     {end['comparison']['words']}"
    if job.passed_over:
        yield f"  passed over  {printable(', '.join(in_words(job.passed_over)))}"
    for line in end["warnings"]:
        yield f"  warning      {printable(line)}"
    if end["rate"]:
        yield f"  speed        {speed(end['rate'])}"
    for line in plain_networks(end):
        yield f"  runs plain   {printable(line)}"
    if end["error"]:
        yield f"  error        {printable(end['error'])}"
    yield from _found(db, job, items["listed"] + items.get("carried", 0))
    for title, folder in _FOLDERS.items():
        if _is_there(place := f"{job.output}/{folder}/"):
            yield f"  {title:<12} {printable(place)}"
    yield from _quarantined(db, job, end)
    yield from _next(end)


def _is_there(place: str) -> bool:
    try:
        return is_folder(place)
    except RegattaError:  # a bucket that can't be asked now
        return False


def _ended(end: Snapshot) -> str:
    """Return how a job ended, and after how much of its work and time."""
    words = end["state"]
    if end["state"] in {JobState.CANCELLED, JobState.FAILED} and end["items"]["listed"]:
        words += f" after {done_of(end):,} of {count(end['items']['listed'], 'item')}"
        if not end["listing_ended"]:
            words += " (the source was not listed to its end)"
    if end["took_seconds"] is not None:
        words += f" in {duration(end['took_seconds'])}"
    return str(words)


def _counts(end: Snapshot) -> str:
    items = end["items"]
    kinds = ("succeeded", "skipped", "quarantined", "cancelled", "pending")
    rest = ", ".join(f"{items[kind]:,} {kind}" for kind in kinds if items[kind])
    carried = f"; {items['carried']:,} carried over" if items.get("carried") else ""
    return f"{items['listed']:,} listed" + (f": {rest}" if rest else "") + carried


def _found(db: Database, job: Job, listed: int) -> Iterator[str]:
    if listed > _CHEAP_ITEMS:
        yield f"  found        is not counted here; `regatta report {job.id}` reads all results"
    if not 0 < listed <= _CHEAP_ITEMS:
        return
    try:
        statistics = read_statistics(committed_rows(db, job), ModelRef.from_json(job.model))
    except RegattaError as error:
        yield f"  found        cannot be read: {printable(str(error))}"
        return
    if any(findings.task.has_things for findings in statistics.models.values()):
        yield from _findings_of(statistics)
    if statistics.warned:
        yield f"  warnings     {count(statistics.warned, 'item')} read although something is odd:"
        for one in statistics.warnings[:_WARNED_SHOWN]:
            yield f"    {printable(one.item)}: {printable(one.warning)}"
        if statistics.warned > _WARNED_SHOWN:
            yield f"    and {statistics.warned - _WARNED_SHOWN:,} more: regatta report {job.id}"


def _findings_of(statistics: Statistics) -> Iterator[str]:
    several = len(statistics.models) > 1
    title = "found"
    for findings in statistics.models.values():
        name = f"{printable(findings.model)}: " if several else ""
        yield f"  {title:<12} {name}{_findings(findings)}"
        for text in findings.texts:
            yield f"  {'':<12}   {printable(_shortened(text))}"
        title = ""
    if several:
        found = f"{statistics.items_with_any:,} of {count(statistics.items, 'item')}"
        yield f"  {'':<12} any of them: something in {found}"


def _findings(findings: Findings) -> str:
    """Return what one model found in how many items, in words."""
    task = findings.task
    if not task.has_things:
        return f"a cut-out of each of {count(findings.items, 'item')}"
    where = count(findings.items, "item")
    if not findings.things:
        return f"nothing in {where}"
    if findings.items_without_any:
        where = f"{findings.items - findings.items_without_any:,} of {where}"
    if task.has_texts:
        lines = count(findings.things.total(), task.noun)
        return f"{lines} of text ({count(findings.words, 'word')}) in {where}"
    if task.has_shares:
        best = findings.items_with.most_common(_TOP_LABELS)
        words = [
            f"{printable(label)} in {count(items, 'item')} ({share} of each)"
            for label, items in best
            for share in [percent(findings.mean(label))]
        ]
        return ", ".join((*words, *_more(findings)))
    best = findings.things.most_common(_TOP_LABELS)
    words = [f"{number:,} {printable(label)}" for label, number in best]
    return f"{', '.join((*words, *_more(findings)))} in {where}"


def _more(findings: Findings) -> list[str]:
    more = len(findings.things) - _TOP_LABELS
    return [count(more, "more label")] if more > 0 else []


def _shortened(text: str) -> str:
    return text if len(text) <= _TEXT_SHOWN else text[: _TEXT_SHOWN - 1] + "…"


def _quarantined(db: Database, job: Job, end: Snapshot) -> Iterator[str]:
    if dismissed := dismissed_of(end):
        yield f"  dismissed    {dismissed}"
    total = end["items"]["quarantined"] - end["dismissed"]
    if not total:
        return
    yield f"  quarantined  {count(total, 'item')}:"
    gone = {one.item for one in db.read(lambda s: dismissals_of(s, job.id)).values()}
    try:
        # Rows of one item, under several models, follow each other.
        rows = (row for row in quarantined_rows(db, job) if row["item"] not in gone)
        items = groupby(rows, key=itemgetter("item"))
        for row in islice((next(rows) for _, rows in items), _QUARANTINED_SHOWN):
            yield f"    {printable(row['item'])}: {printable(row['reason'] or 'no reason')}"
    except RegattaError as error:
        yield f"    cannot be read: {printable(str(error))}"
    if total > _QUARANTINED_SHOWN:
        yield f"    and {total - _QUARANTINED_SHOWN:,} more: regatta quarantine list {job.id}"


def _next(end: Snapshot) -> Iterator[str]:
    commands = list(_next_commands(end))
    if commands:
        yield "Next:"
    yield from commands


def _next_commands(end: Snapshot) -> Iterator[str]:
    kinds = ("succeeded", "skipped", "quarantined", "carried")
    if any(end["items"].get(kind) for kind in kinds):
        yield f"  regatta results {end['id']}"
        yield f"  regatta report {end['id']}"
    if end["items"]["quarantined"]:
        yield f"  regatta quarantine list {end['id']}"
    if end["state"] in {JobState.FAILED, JobState.CANCELLED}:
        yield f"  regatta retry {end['id']}"
    elif end["items"]["quarantined"] > end["dismissed"]:
        yield f"  regatta quarantine retry {end['id']}"
