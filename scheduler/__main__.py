"""The scheduler's process: the module `scheduler`."""

import os
import random
import signal
import socket
import sys
import threading
from contextlib import suppress
from importlib.metadata import version

from config.broker import celery_settings, required_broker
from config.logs import configure_logs
from config.settings import load_settings
from core.errors import RegattaError, RetryableError, UsageError
from core.ids import new_id
from scheduler.doorbell import Doorbell
from scheduler.loop import Scheduler, Timing
from scheduler.plan import PLANNED_KINDS
from scheduler.submit import JobDefaults
from scheduler.webhooks import Rules
from store import processes
from store.database import Database
from store.locations import use_s3
from store.processes import SCHEDULER, Heartbeat
from store.s3.options import S3Options


def main() -> int:
    """Run a scheduler until SIGTERM or SIGINT."""
    try:
        settings = load_settings()
        configure_logs(settings)
        use_s3(S3Options(**settings.s3))
        doorbell = Doorbell(
            celery_settings(
                required_broker(settings.broker_url),
                visibility_seconds=settings.visibility_seconds,
            )
        )
        db = Database(settings.database_url, application="regatta scheduler")
    except RegattaError as error:
        return _refuse(error)
    heartbeat = Heartbeat(
        id=f"scheduler-{socket.gethostname()}-{os.getpid()}-{new_id(random.SystemRandom())}",
        role=SCHEDULER,
        host=socket.gethostname(),
        pid=os.getpid(),
        version=version("regatta"),
        kinds=PLANNED_KINDS,
    )
    timing = Timing(
        lease_seconds=settings.lease_seconds,
        heartbeat_seconds=settings.heartbeat_seconds,
        republish_seconds=settings.republish_seconds,
        max_tries=settings.max_tries,
        compact_parts=settings.compact_parts,
    )
    rules = Rules(commands=settings.notify_commands, private=settings.notify_private)
    stop = threading.Event()
    defaults = JobDefaults.of(settings)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    try:
        _look_into(db)
        Scheduler(db, doorbell, heartbeat, timing, defaults, rules).run(stop)
    except UsageError as error:
        return _refuse(error)
    finally:
        doorbell.close()
        db.close()
    return 0


def _look_into(db: Database) -> None:
    """Check now that the database lets us in and has tables; one that is away may come back."""
    with suppress(RetryableError):
        db.read(lambda s: processes.live(s, SCHEDULER, now=db.now(s), within=0.0))


def _refuse(error: RegattaError) -> int:
    sys.stderr.write(f"error: {error}\n" + (f"hint: {error.hint}\n" if error.hint else ""))
    return 2


if __name__ == "__main__":
    sys.exit(main())
