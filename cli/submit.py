"""`regatta submit`: hand a job to whoever runs the stack."""

from typing import Any

import click

from cli.dryrun import dry_run as try_out
from cli.exit_codes import exit_code
from cli.options import format_option, job_options, watch_option
from cli.request import job_defaults, job_request
from cli.session import opened, say, warn_if_nobody_schedules
from cli.show.output import chosen, print_object
from cli.show.progress import progress_view
from cli.show.watch import watch as wait_for
from scheduler.submit import submit as submit_job


@click.command(
    epilog="Example: regatta submit photos/ --model picodet --exclude '*/thumbs/*' --watch"
)
@click.argument("source")
@job_options
@watch_option
@format_option
@click.pass_context
def submit(
    ctx: click.Context,
    /,
    *,
    source: str,
    models: tuple[str, ...],
    dry_run: bool,
    watch: bool,
    form: str | None,
    **options: Any,
) -> None:
    """Hand a job over SOURCE to whoever runs the stack, and print the job's id.

    SOURCE is a folder, a glob, an image, or a list of items (.txt, .jsonl, .csv), here or in a
    bucket (s3://...).
    Everything that can be checked without work is checked first.
    """
    request = job_request(source, models, options)
    with opened() as (settings, db):
        if dry_run:
            print_object(try_out(db, request, job_defaults(settings)), chosen(form))
            return
        job = submit_job(db, request, job_defaults(settings))
        click.echo(job.id)
        warn_if_nobody_schedules(db, settings)
        if watch:
            with progress_view() as view:
                end = wait_for(db, settings, job.id, view)
            say(f"job {job.id}: {end['state']}")
            ctx.exit(exit_code(end["state"]))
