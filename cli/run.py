"""`regatta run`: submits a job, works on it and waits for it."""

from pathlib import Path
from typing import Any

import click
from click.core import ParameterSource

from cli import complete
from cli.dryrun import dry_run as try_out
from cli.exit_codes import INTERRUPTED, exit_code
from cli.interrupt import terminate_as_interrupt
from cli.options import JobCommand, format_option, job_options, source_argument
from cli.request import drafted, job_defaults, saved
from cli.session import job_of, open_database, say
from cli.show.output import chosen
from cli.show.summary import print_summary
from cli.work import work
from config.settings import Settings, load_settings
from core.errors import UsageError
from core.states import ENDED_JOBS, JobState
from scheduler.submit import Draft, accept
from store.database import Database
from store.jobs import resume as resume_job


@click.command(
    cls=JobCommand,
    epilog="Example: regatta run photos/ --model models/picodet_xs_320 --limit 100; "
    "regatta run job.toml --priority 9; regatta run more/ --like latest; "
    "regatta run street/ --model picodet --classes person,car --redact person --annotate sample:99",
)
@source_argument
@job_options
@click.option(
    "--resume",
    "resume",
    metavar="JOB",
    shell_complete=complete.jobs,
    help="Continue this job instead.",
)
@format_option
@click.pass_context
def run(
    ctx: click.Context,
    /,
    *,
    sources: tuple[str, ...],
    like: str | None,
    save: Path | None,
    dry_run: bool,
    price: float | None,
    resume: str | None,
    form: str | None,
    **_: Any,
) -> None:
    """Run a model over SOURCE on this machine, show the progress, and sum up.

    SOURCE is a folder, a glob, an image, or a list of items (.txt, .jsonl, .csv), here or in a
    bucket (s3://...); or a job file (.toml), which says all of this. Several are one job, whose
    items' keys begin with the names of their sources.
    Broker, scheduler and worker are started as needed, and shared with other commands.
    Ctrl-C hands back what runs and prints the command that continues the job.
    """
    settings = load_settings()
    if resume and _says_more(ctx):
        raise click.UsageError("--resume goes on with a job as it is: leave the rest out", ctx)
    if price is not None and not dry_run:
        raise click.UsageError("--price-per-hour needs --dry-run", ctx)
    with terminate_as_interrupt(), open_database(settings) as db:
        draft = None if resume else drafted(ctx, db, settings, sources, like)
        if draft is not None and save is not None:
            saved(db, draft, save)
            return
        if draft is not None and dry_run:
            try_out(db, settings, draft, chosen(form), price=price)
            return
        job_id = _begin(db, settings, draft, resume)
        end = work(db, settings, job_id)
        if end is None:
            ctx.exit(INTERRUPTED)
        print_summary(db, end, form)
        ctx.exit(exit_code(end["state"]))


def _says_more(ctx: click.Context) -> bool:
    """Return whether something about the job was given besides `--resume`, to no effect."""
    return any(
        ctx.get_parameter_source(name) is ParameterSource.COMMANDLINE
        for name in ctx.params
        if name not in {"resume", "form"}
    )


def _begin(db: Database, settings: Settings, draft: Draft | None, resume: str | None) -> str:
    """Submit the job, or take up the one to resume; return its id."""
    if draft is not None:
        job_id = accept(db, draft, job_defaults(settings)).id
        say(f"job {job_id}")
        return job_id
    job = job_of(db, resume or "")
    if job.state in ENDED_JOBS:
        raise UsageError(
            f"job {job.id} has ended: {job.state}",
            hint=f"`regatta retry {job.id}` runs again what it left undone",
        )
    if job.state is JobState.PAUSED:
        db.write(lambda s: resume_job(s, job.id))
    return job.id
