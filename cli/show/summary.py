"""What `run` says at the end: counts, what was found, where it is, what to type next."""

from collections import Counter
from collections.abc import Iterator
from itertools import groupby, islice
from operator import itemgetter

import click

from cli.show.output import print_object
from cli.show.wording import count, duration, plain_networks, speed
from core.errors import RegattaError
from core.escape import printable
from core.options import ModelRef
from core.states import JobState
from core.tasks import MATTING, TASK, detections_of
from report.snapshot import Snapshot
from store.committed import committed_rows, quarantined_rows
from store.database import Database
from store.jobs import get_job
from store.tables import Job

_CHEAP_ITEMS = 20_000  # reading more rows than this only to count labels takes too long
_TOP_LABELS = 10
_QUARANTINED_SHOWN = 10


def print_summary(db: Database, end: Snapshot, form: str | None, seconds: float) -> None:
    """Print how a job ended: the summary for people, or the snapshot in a format for programs."""
    if form in {"json", "ndjson", "csv"}:
        print_object(end, form)
        return
    for line in summary(db, end, seconds):
        click.echo(line)


def summary(db: Database, end: Snapshot, seconds: float | None) -> Iterator[str]:
    """Yield the lines of a job's summary."""
    job = db.read(lambda s: get_job(s, end["id"]))
    items = end["items"]
    took = f" in {duration(seconds)}" if seconds is not None else ""
    yield f"Job {end['id']} ({printable(end['name'])}): {end['state']}{took}"
    yield f"  items        {_counts(items)}"
    if job.passed_over:
        reasons = ", ".join(f"{n:,} {printable(why)}" for why, n in job.passed_over.items())
        yield f"  passed over  {reasons}"
    if end["rate"]:
        yield f"  speed        {speed(end['rate'])}"
    for line in plain_networks(end):
        yield f"  runs plain   {printable(line)}"
    if end["error"]:
        yield f"  error        {printable(end['error'])}"
    names = {model.task for model in ModelRef.from_json(job.model).members}
    tasks = [TASK[name] for name in names if name in TASK]
    if names != {MATTING}:  # which finds nothing, and only has masks
        yield from _found(db, job, items["listed"])
    yield f"  results      {printable(job.output)}/results/"
    if job.options.get("annotate"):
        yield f"  pictures     {printable(job.output)}/annotated/"
    if any(task.has_masks for task in tasks):
        yield f"  masks        {printable(job.output)}/masks/"
    if any(task.has_cutouts for task in tasks):
        yield f"  cut-outs     {printable(job.output)}/cutouts/"
    yield from _quarantined(db, job, items["quarantined"])
    yield from _next(end)


def _counts(items: dict[str, int]) -> str:
    kinds = ("succeeded", "skipped", "quarantined", "cancelled", "pending")
    rest = ", ".join(f"{items[kind]:,} {kind}" for kind in kinds if items[kind])
    return f"{items['listed']:,} listed" + (f": {rest}" if rest else "")


def _found(db: Database, job: Job, listed: int) -> Iterator[str]:
    if not 0 < listed <= _CHEAP_ITEMS:
        return
    labels: Counter[str] = Counter()
    try:
        for row in committed_rows(db, job):
            labels.update(one["label"] for one in detections_of(row))
    except RegattaError as error:
        yield f"  found        cannot be read: {printable(str(error))}"
        return
    top = ", ".join(f"{n:,} {printable(label)}" for label, n in labels.most_common(_TOP_LABELS))
    more = len(labels) - _TOP_LABELS
    yield f"  found        {top or 'nothing'}" + (f", {more} more labels" if more > 0 else "")


def _quarantined(db: Database, job: Job, total: int) -> Iterator[str]:
    if not total:
        return
    yield f"  quarantined  {count(total, 'item')}:"
    try:
        # Rows of one item, under several models, follow each other.
        items = groupby(quarantined_rows(db, job), key=itemgetter("item"))
        for row in islice((next(rows) for _, rows in items), _QUARANTINED_SHOWN):
            yield f"    {printable(row['item'])}: {printable(row['reason'] or 'no reason')}"
    except RegattaError as error:
        yield f"    cannot be read: {printable(str(error))}"
    if total > _QUARANTINED_SHOWN:
        yield f"    and {total - _QUARANTINED_SHOWN:,} more: regatta quarantine list {job.id}"


def _next(end: Snapshot) -> Iterator[str]:
    yield "Next:"
    yield f"  regatta results {end['id']}"
    yield f"  regatta report {end['id']}"
    if end["items"]["quarantined"]:
        yield f"  regatta quarantine list {end['id']}"
        yield f"  regatta quarantine retry {end['id']}"
    elif end["state"] in {JobState.FAILED, JobState.CANCELLED}:
        yield f"  regatta retry {end['id']}"
