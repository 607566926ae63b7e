"""Runs a worker process: `python -m worker --queues detect,media`."""

import argparse
import sys
import warnings

from celery.platforms import SecurityWarning

from core.errors import RegattaError
from core.messages import QUEUES


def main(arguments: list[str] | None = None) -> int:
    """Run a Celery worker on the queues until SIGTERM or SIGINT."""
    parser = argparse.ArgumentParser(prog="worker", description=__doc__)
    parser.add_argument("--queues", default=",".join(QUEUES), help="comma-separated queues")
    options = parser.parse_args(arguments)
    # Celery warns root of pickled messages; only JSON is accepted here.
    warnings.simplefilter("ignore", SecurityWarning)
    try:
        from worker.app import app  # noqa: PLC0415 - its import reads the settings
    except RegattaError as error:
        sys.stderr.write(f"error: {error}\n" + (f"hint: {error.hint}\n" if error.hint else ""))
        return 2
    # Workers don't talk to each other: everything they share is in the database.
    silent = ["--without-gossip", "--without-mingle", "--without-heartbeat"]
    app.worker_main(["--quiet", "worker", "--queues", options.queues, *silent])
    return 0


if __name__ == "__main__":
    sys.exit(main())
