"""`regatta worker` and `regatta scheduler`: one process of a fleet, in the foreground."""

import os
from typing import NoReturn

import click

from cli.environment import environment, python_module
from config.settings import Settings, load_settings
from core.errors import UsageError
from core.messages import QUEUES


@click.command(epilog="Example: regatta worker --queues detect --concurrency 2")
@click.option("--queues", help=f"What to serve, with commas: {','.join(QUEUES)}.  [default: all]")
@click.option("--concurrency", type=click.IntRange(min=1), help="Shards at the same time.")
def worker(*, queues: str | None, concurrency: int | None) -> None:
    """Run a worker until SIGTERM or Ctrl-C; it then hands back what it has not finished."""
    names = [name.strip() for name in queues.split(",")] if queues is not None else []
    for name in names:
        if name not in QUEUES:
            raise UsageError(f"there is no queue {name!r}", hint=f"queues are {', '.join(QUEUES)}")
    settings = load_settings(concurrency=concurrency)
    _become("worker", settings, *(("--queues", ",".join(names)) if names else ()))


@click.command(epilog="Example: regatta scheduler")
def scheduler() -> None:
    """Run a scheduler until SIGTERM or Ctrl-C. Any number may run side by side."""
    _become("scheduler", load_settings())


def _become(module: str, settings: Settings, *arguments: str) -> NoReturn:
    if settings.broker_url is None:
        raise UsageError(
            "no broker is set",
            hint="set REGATTA_BROKER_URL (redis://...); `regatta up` runs everything by itself",
        )
    command = python_module(module, *arguments)
    # In this process's place: signals of a supervisor reach the worker itself.
    os.execve(command[0], command, environment(settings))  # noqa: S606
