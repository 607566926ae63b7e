"""`regatta doctor`: is everything that Regatta depends on in order?"""

from dataclasses import asdict

import click

from cli.checks import examine
from cli.failure import FAILED
from cli.options import format_option
from cli.output import chosen, print_records
from cli.session import say
from config.settings import load_settings

_COLUMNS = ("check", "ok", "found", "mend")
_WORDS = {True: "ok", False: "FAILED", None: "-"}


@click.command(epilog="Example: regatta doctor --format json")
@format_option
@click.pass_context
def doctor(ctx: click.Context, /, *, form: str | None) -> None:
    """Check broker, database, objects, disk, Paddle and timing; say how to mend what fails."""
    form = chosen(form)
    findings = examine(load_settings())
    records = [asdict(finding) for finding in findings]
    if form == "table":
        for record in records:
            record["ok"] = _WORDS[record["ok"]]
            record["mend"] = record["mend"] if record["ok"] == _WORDS[False] else None
    print_records(records, _COLUMNS, form)
    failed = [finding for finding in findings if finding.ok is False]
    for finding in failed:
        if finding.mend:
            say(f"{finding.check}: {finding.mend}")
    if failed:
        ctx.exit(FAILED)
