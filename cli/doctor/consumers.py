"""Checks that every job under way has a scheduler and workers."""

from collections.abc import Iterator

from sqlalchemy.exc import DBAPIError

from cli.doctor.database import is_there
from cli.doctor.finding import Finding, Status
from cli.session import live_processes
from config.settings import Settings
from core.errors import RegattaError
from core.messages import QUEUES
from core.wording import count
from store import processes
from store.database import Database
from store.queueing import waiting_queues

_PATIENCE_SECONDS = 3.0


def check_consumers(settings: Settings) -> Iterator[Finding]:
    """Yield who is alive, and each queue whose shards wait for a worker."""
    if not is_there(settings):
        yield Finding("consumers", Status.SKIPPED, "there is no database to ask")
        return
    db = Database(settings.database_url, patience=_PATIENCE_SECONDS)
    try:
        workers = live_processes(db, settings, processes.WORKER)
        schedulers = live_processes(db, settings, processes.SCHEDULER)
        waiting = db.read(waiting_queues)
    except (RegattaError, DBAPIError):  # away, or without tables: the check of the database says so
        yield Finding("consumers", Status.SKIPPED, "the database cannot be asked")
        return
    finally:
        db.close()
    served = {queue for worker in workers if not worker.draining for queue in worker.queues}
    # On a single machine nothing runs between two commands, which is as it should be.
    severity = Status.WARNING if settings.broker_url is None else Status.FAILED
    deserted = {queue: shards for queue, shards in waiting.items() if queue not in served}
    for queue, shards in deserted.items():
        yield Finding(
            "consumers",
            severity,
            f"{shards:,} shards wait in the queue {queue!r}, which no live worker serves",
            f"start one: regatta worker --queues {queue}",
        )
    if waiting and not schedulers:
        yield Finding(
            "consumers",
            severity,
            "jobs are under way, but no scheduler is alive",
            "start one: regatta scheduler",
        )
    if not deserted and (schedulers or not waiting):
        idle = [queue for queue in QUEUES if queue not in served]
        found = f"{count(len(schedulers), 'scheduler')}, {count(len(workers), 'worker')}"
        if idle:
            found += f"; nobody serves {', '.join(idle)}, where nothing waits"
        yield Finding("consumers", Status.OK, found)
