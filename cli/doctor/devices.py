"""Checks that no device is left out."""

from collections.abc import Iterator

from sqlalchemy.exc import DBAPIError

from cli.doctor.database import is_there
from cli.doctor.finding import Finding, Status
from cli.session import live_processes
from config.settings import Settings
from core.errors import RegattaError
from store import devices, processes
from store.database import Database

_PATIENCE_SECONDS = 3.0


def check_devices(settings: Settings) -> Iterator[Finding]:
    """Yield each device whose engine failed on good inputs until it was left out."""
    if not is_there(settings):
        yield Finding("devices", Status.SKIPPED, "there is no database to ask")
        return
    db = Database(settings.database_url, patience=_PATIENCE_SECONDS)
    try:
        hosts = {worker.host for worker in live_processes(db, settings, processes.WORKER)}
        found = db.read(lambda s: devices.left_out(s, hosts))
    except (RegattaError, DBAPIError):  # away, or without tables: the check of the database says so
        yield Finding("devices", Status.SKIPPED, "the database cannot be asked")
        return
    finally:
        db.close()
    for row in found:
        yield Finding(
            "devices",
            Status.FAILED,
            f"{row.device} of {row.host} is left out: {row.engine} failed {row.failures} times "
            f"in a row, even on what it had run before ({row.error})",
            "repair it, and start the workers of that machine anew",
        )
    if not found:
        yield Finding("devices", Status.OK, "none is left out")
