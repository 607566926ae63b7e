"""`regatta demo`: the whole system on this machine, on pictures whose truth is known."""

import webbrowser
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import click

from cli.exit_codes import INTERRUPTED
from cli.interrupt import terminate_as_interrupt
from cli.report import write_report
from cli.request import job_defaults
from cli.session import open_database, say
from cli.show.drawing import drawn_dataset
from cli.show.pipe import for_a_reader
from cli.show.summary import print_summary
from cli.verdict import VERDICTS, Verdict
from cli.work import work
from config.settings import load_settings
from core.escape import printable
from core.request import JobRequest
from core.states import ENDED_JOBS, JobState
from core.tasks import TASKS
from report.snapshot import Snapshot
from sample.dataset import Dataset
from sample.shipped import SHOWN
from scheduler.submit import submit
from store.committed import committed_rows, quarantined_rows
from store.database import Database
from store.jobs import get_job
from store.locations import open_store
from store.tables import Job

_SHARD_ITEMS = 32  # so that there are several shards, and progress moves
_FAILED = 1


@dataclass(frozen=True, slots=True)
class _Finding:
    """What became of the job: how well it agrees with the truth, and what did not go as planned."""

    verdict: Verdict
    surprises: tuple[str, ...]


@click.command(epilog="Example: regatta demo --open")
@click.option(
    "--task",
    type=click.Choice([task for task in VERDICTS if task in TASKS]),
    default="detect",
    show_default=True,
    help="What to do with the pictures.",
)
@click.option(
    "--scenes",
    type=click.IntRange(1, 100_000),
    default=240,
    show_default=True,
    help="How many pictures to draw.",
)
@click.option("--seed", type=click.IntRange(min=0), default=0, help="Other pictures.")
@click.option("--open", "show", is_flag=True, help="Show the report in the browser.")
@click.pass_context
def demo(ctx: click.Context, /, *, task: str, scenes: int, seed: int, show: bool) -> None:
    """Run everything on this machine, on pictures that Regatta draws itself.

    Draws scenes of a regatta and breaks a few files on purpose; runs a shipped model over
    them as `regatta run` would; compares what was found with the truth; writes the report.
    The exit code is 0 if all went as planned.
    """
    settings = load_settings()
    place = settings.home / "demo" / f"{scenes}-scenes-seed-{seed}"
    with terminate_as_interrupt(), open_database(settings) as db:
        dataset = drawn_dataset(place, scenes, seed)
        model = SHOWN[task]
        request = JobRequest.of(
            str(dataset.folder), str(model), name="demo", shard_items=_SHARD_ITEMS
        )
        job_id = submit(db, request, job_defaults(settings)).id
        say(f"job {job_id}: {model.stem} over {dataset.folder}")
        end = work(db, settings, job_id)
        if end is None:
            ctx.exit(INTERRUPTED)
        print_summary(db, end, None)
        if JobState(end["state"]) not in ENDED_JOBS:
            ctx.exit(_FAILED)
        finding = _look_into(db, end, dataset, task)
        report = write_report(db, db.read(lambda s: get_job(s, job_id)))
        with for_a_reader():
            for line in _conclusion(finding, dataset, report):
                click.echo(line)
        if show and not webbrowser.open(report):
            say("no browser could be opened")
        ctx.exit(_FAILED if finding.surprises else 0)


def _look_into(db: Database, end: Snapshot, dataset: Dataset, task: str) -> _Finding:
    job = db.read(lambda s: get_job(s, end["id"]))
    verdict = VERDICTS[task](dataset, committed_rows(db, job), open_store(job.output))
    surprises = (*_surprises(db, job, end["items"], dataset), *verdict.doubts)
    return _Finding(verdict, surprises)


def _surprises(db: Database, job: Job, items: dict[str, Any], dataset: Dataset) -> Iterator[str]:
    """Return what did not go as planned."""
    if items["succeeded"] != dataset.sound:
        yield f"{items['succeeded']:,} of {dataset.sound:,} sound pictures have results"
    reasons = {row["item"]: row["reason"] or "" for row in quarantined_rows(db, job)}
    for name in sorted(reasons.keys() | dataset.broken.keys()):
        planned, came = dataset.broken.get(name), reasons.get(name, "no quarantine")
        if planned is None or not came.startswith(planned):
            yield f"{name}: expected {planned or 'a result'}, got {came}"


def _conclusion(finding: _Finding, dataset: Dataset, report: str) -> Iterator[str]:
    yield from finding.verdict.lines
    if finding.surprises:
        yield "Not as planned:"
        yield from (f"  {printable(surprise)}" for surprise in finding.surprises)
    else:
        yield (
            f"As planned: {dataset.sound:,} pictures have results, and {len(dataset.broken)} "
            "broken files are in quarantine for the right reasons"
        )
    yield f"Report: {printable(report)}"
