"""Lets the scheduler know of a dead process at once, instead of when its leases end."""

import socket

import structlog

from core.errors import RegattaError
from store.database import Database
from store.processes import forget

_PATIENCE_SECONDS = 2.0  # whoever looks after processes has others to look after

_log = structlog.get_logger()


def report_death(database_url: str, pid: int) -> None:
    """Take a process of this host off the list of the living.

    If the database cannot be reached, its leases end by themselves.
    """
    db = Database(database_url, patience=_PATIENCE_SECONDS)
    try:
        db.write(lambda s: forget(s, socket.gethostname(), pid))
    except RegattaError as error:
        _log.warning("cannot forget a dead process", pid=pid, error=str(error))
    finally:
        db.close()
