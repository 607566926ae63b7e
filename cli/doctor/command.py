"""`regatta doctor`: is everything that Regatta depends on in order?"""

from collections.abc import Callable, Iterable
from dataclasses import asdict

import click

from cli.doctor.broker import check_broker
from cli.doctor.consumers import check_consumers
from cli.doctor.database import check_database
from cli.doctor.devices import check_devices
from cli.doctor.finding import Finding, Status
from cli.doctor.packages import check_packages
from cli.doctor.paddle import check_paddle
from cli.doctor.storage import check_disk, check_objects
from cli.doctor.timing import check_timing
from cli.exit_codes import FAILED
from cli.options import format_option
from cli.session import say
from cli.show.output import chosen, print_records
from config.settings import Settings, load_settings
from core.errors import RegattaError
from store.locations import use_s3
from store.s3.options import S3Options

_CHECKS: dict[str, Callable[[Settings], Iterable[Finding]]] = {
    "database": check_database,
    "broker": check_broker,
    "objects": check_objects,
    "disk": check_disk,
    "timing": check_timing,
    "packages": check_packages,
    "paddle": check_paddle,
    "consumers": check_consumers,
    "devices": check_devices,
}


def examine(settings: Settings) -> list[Finding]:
    """Run every check; one that cannot be made is a finding like any other."""
    use_s3(S3Options(**settings.s3))
    return [found for name, check in _CHECKS.items() for found in _made(name, check, settings)]


def _made(
    name: str, check: Callable[[Settings], Iterable[Finding]], settings: Settings
) -> list[Finding]:
    found = []
    try:
        for finding in check(settings):
            found.append(finding)  # noqa: PERF402 - keeps what was found before an error
    except RegattaError as error:
        found.append(Finding(name, Status.FAILED, str(error), error.hint))
    except Exception as error:
        text = f"cannot be checked: {type(error).__name__}: {error}".partition("\n")[0]
        found.append(Finding(name, Status.FAILED, text, "`regatta --debug doctor` may say more"))
    return found


_COLUMNS = ("check", "status", "found")


@click.command(epilog="Example: regatta doctor --format json")
@format_option
@click.pass_context
def doctor(ctx: click.Context, /, *, form: str | None) -> None:
    """Check everything that Regatta depends on, and say how to fix what is not in order.

    Database, broker, results, disk, clocks, timing, packages, Paddle with oneDNN, GPU and TensorRT,
    whether every queue has a worker, and whether a device is left out. Exit code 1 if anything
    failed; warnings do not count.
    """
    findings = examine(load_settings())
    print_records([asdict(finding) for finding in findings], _COLUMNS, chosen(form))
    for finding in findings:
        if finding.mend:
            say(f"{finding.status}: {finding.check}: {finding.mend}")
    if any(finding.status is Status.FAILED for finding in findings):
        ctx.exit(FAILED)
