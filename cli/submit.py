"""`regatta submit`: hands a job to a running stack."""

from pathlib import Path
from typing import Any

import click

from cli.dryrun import dry_run as try_out
from cli.exit_codes import exit_code
from cli.options import (
    JobCommand,
    format_option,
    job_options,
    source_argument,
    watch_option,
)
from cli.request import drafted, job_defaults, saved
from cli.session import opened, say, warn_if_nobody_schedules
from cli.show.output import chosen, print_object
from cli.show.pipe import for_a_reader
from cli.show.progress import progress_view
from cli.show.progress import watch as wait_for
from report.snapshot import snapshot
from scheduler.submit import accept


@click.command(
    cls=JobCommand,
    epilog="Example: regatta submit photos/ --model picodet --exclude '*/thumbs/*' --watch; "
    "regatta submit job.toml; regatta submit --like latest --threshold 0.3",
)
@source_argument
@job_options
@watch_option
@format_option
@click.pass_context
def submit(
    ctx: click.Context,
    /,
    *,
    sources: tuple[str, ...],
    like: str | None,
    save: Path | None,
    dry_run: bool,
    price: float | None,
    watch: bool,
    form: str | None,
    **_: Any,
) -> None:
    """Hand a job over SOURCE to a running stack, and print the job's id.

    SOURCE is a folder, a glob, an image, or a list of items (.txt, .jsonl, .csv), here or in a
    bucket (s3://...); or a job file (.toml), which says all of this. Several are one job, whose
    items' keys begin with the names of their sources.
    Everything that can be checked without work is checked first.
    """
    if price is not None and not dry_run:
        raise click.UsageError("--price-per-hour needs --dry-run", ctx)
    with opened() as (settings, db):
        draft = drafted(ctx, db, settings, sources, like)
        if save is not None:
            saved(db, draft, save)
            return
        if dry_run:
            try_out(db, settings, draft, chosen(form), price=price)
            return
        job = accept(db, draft, job_defaults(settings))
        with for_a_reader():
            if form is None:
                click.echo(job.id)
            else:
                print_object(snapshot(db, settings, job.id), form)
        warn_if_nobody_schedules(db, settings)
        if watch:
            with progress_view() as view:
                end = wait_for(db, settings, job.id, view)
            say(f"job {job.id}: {end['state']}")
            ctx.exit(exit_code(end["state"]))
