"""`regatta health`: is a process of ours alive on this host? For container health checks."""

import socket

import click

from cli.exit_codes import FAILED
from cli.session import live_processes, say
from config.settings import load_settings
from store import processes
from store.database import Database

_PATIENCE_SECONDS = 3.0


@click.command(epilog="Example: regatta health worker")
@click.argument("role", required=False, type=click.Choice([processes.WORKER, processes.SCHEDULER]))
@click.pass_context
def health(ctx: click.Context, /, *, role: str | None) -> None:
    """Say whether a worker or scheduler is alive on this host; exit code 1 if not.

    Its heartbeat in the job database counts, so a process that hangs is not healthy.
    """
    settings = load_settings()
    db = Database(settings.database_url, patience=_PATIENCE_SECONDS)
    roles = [role] if role else [processes.WORKER, processes.SCHEDULER]
    host = socket.gethostname()
    try:
        found = [
            f"{each.role} {each.pid}"
            for name in roles
            for each in live_processes(db, settings, name)
            if each.host == host
        ]
    finally:
        db.close()
    say(f"{host}: {', '.join(found)}" if found else f"{host}: no {' or '.join(roles)} is alive")
    if not found:
        ctx.exit(FAILED)
