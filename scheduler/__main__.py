"""The scheduler's process: `python -P -m scheduler`."""

import os
import random
import signal
import socket
import sys
import threading
from importlib.metadata import version

from config.broker import celery_settings, required_broker
from config.logs import configure_logs
from config.settings import load_settings
from core.errors import RegattaError
from core.ids import new_id
from scheduler.doorbell import Doorbell
from scheduler.loop import Scheduler, Timing
from store.database import Database
from store.processes import SCHEDULER, Heartbeat


def main() -> int:
    """Run a scheduler until SIGTERM or SIGINT."""
    try:
        settings = load_settings()
        configure_logs(settings)
        doorbell = Doorbell(
            celery_settings(
                required_broker(settings.broker_url),
                visibility_seconds=settings.visibility_seconds,
            )
        )
    except RegattaError as error:
        sys.stderr.write(f"error: {error}\n" + (f"hint: {error.hint}\n" if error.hint else ""))
        return 2
    db = Database(settings.database_url)
    heartbeat = Heartbeat(
        id=f"scheduler-{socket.gethostname()}-{os.getpid()}-{new_id(random.SystemRandom())}",
        role=SCHEDULER,
        host=socket.gethostname(),
        pid=os.getpid(),
        version=version("regatta"),
    )
    timing = Timing(
        lease_seconds=settings.lease_seconds,
        heartbeat_seconds=settings.heartbeat_seconds,
        republish_seconds=settings.republish_seconds,
        max_tries=settings.max_tries,
    )
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    try:
        Scheduler(db, doorbell, heartbeat, timing).run(stop)
    finally:
        doorbell.close()
        db.close()
    return 0


if __name__ == "__main__":
    sys.exit(main())
