"""`regatta quarantine`: items that could not be processed."""

import click

from cli.again import run_again
from cli.options import format_option, job_argument, raw_option
from cli.session import job_of, opened
from cli.show.output import chosen, print_records
from core.options import ModelRef
from store.committed import quarantined_rows


@click.group(epilog="Example: regatta quarantine list latest")
def quarantine() -> None:
    """Look at items that could not be processed, and try them again."""


@quarantine.command("list", epilog="Example: regatta quarantine list latest --format csv")
@job_argument
@format_option
@raw_option
def list_(*, job: str, form: str | None, raw: bool) -> None:
    """Print the quarantined items of JOB with their reasons."""
    with opened() as (_, db):
        found = job_of(db, job)
        several = len(ModelRef.from_json(found.model).members) > 1
        columns = ("item", "model", "reason") if several else ("item", "reason")
        print_records(quarantined_rows(db, found), columns, chosen(form), raw=raw)


@quarantine.command(epilog="Example: regatta quarantine retry latest")
@job_argument
def retry(*, job: str) -> None:
    """Run the quarantined items of JOB again; what succeeded stays."""
    run_again(job)
