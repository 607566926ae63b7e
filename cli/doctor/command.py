"""`regatta doctor`: is everything that Regatta depends on in order?"""

from dataclasses import asdict

import click

from cli.doctor.checks import examine
from cli.doctor.finding import Status
from cli.exit_codes import FAILED
from cli.options import format_option
from cli.session import say
from cli.show.output import chosen, print_records
from config.settings import load_settings

_COLUMNS = ("check", "status", "found")


@click.command(epilog="Example: regatta doctor --format json")
@format_option
@click.pass_context
def doctor(ctx: click.Context, /, *, form: str | None) -> None:
    """Check everything that Regatta depends on, and say how to mend what is not in order.

    Database, broker, results, disk, clocks, timing, packages, Paddle with oneDNN, GPU and TensorRT,
    and whether somebody works for every queue. Exit code 1 if anything failed; warnings do not.
    """
    findings = examine(load_settings())
    print_records([asdict(finding) for finding in findings], _COLUMNS, chosen(form))
    for finding in findings:
        if finding.mend:
            say(f"{finding.status}: {finding.check}: {finding.mend}")
    if any(finding.status is Status.FAILED for finding in findings):
        ctx.exit(FAILED)
