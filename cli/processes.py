"""`regatta worker` and `regatta scheduler`: the processes of a fleet, in the foreground."""

import os
from typing import NoReturn

import click

from cli.stack.environment import environment, python_module
from config.settings import Settings, load_settings
from core.errors import UsageError
from core.messages import QUEUES


@click.command(epilog="Example: regatta worker --devices 0,1 --queues detect --models picodet")
@click.option("--queues", help=f"Queues to serve, with commas: {','.join(QUEUES)}.  [default: all]")
@click.option("--concurrency", type=click.IntRange(min=1), help="Shards at the same time.")
@click.option(
    "--devices",
    default="auto",
    show_default=True,
    help="auto (every GPU, else the CPU), cpu, or numbers of GPUs, separated by commas.",
)
@click.option("--models", help="Registered models to load before taking work, separated by commas.")
@click.pass_context
def worker(
    ctx: click.Context,
    /,
    *,
    queues: str | None,
    concurrency: int | None,
    devices: str,
    models: str | None,
) -> None:
    """Run a worker process on each device until SIGTERM or Ctrl-C, and keep them running.

    A process that dies or hangs is started again. A signal drains all of them: what they cannot
    finish in time is handed back; a second signal hands it back at once. The exit code is 0 if all
    ended in order, 1 if one had to be killed, 130 after a second signal.
    """
    # The other commands of this module need none of this.
    from cli.stack.devices import find_devices  # noqa: PLC0415
    from cli.stack.supervisor import supervise  # noqa: PLC0415
    from config.logs import configure_logs  # noqa: PLC0415

    names = _names(queues)
    for name in names:
        if name not in QUEUES:
            raise UsageError(f"there is no queue {name!r}", hint=f"queues are {', '.join(QUEUES)}")
    settings = load_settings(concurrency=concurrency, preload=models)
    _require_broker(settings)
    configure_logs(settings)
    found = find_devices(devices)
    _require_models(settings)
    arguments = ("--queues", ",".join(names)) if names else ()
    ctx.exit(supervise(settings, found, *arguments))


@click.command(epilog="Example: regatta scheduler")
def scheduler() -> None:
    """Run a scheduler until SIGTERM or Ctrl-C. Any number may run side by side."""
    settings = load_settings()
    _require_broker(settings)
    command = python_module("scheduler")
    _become(command, environment(settings))


def _names(words: str | None) -> list[str]:
    return [word.strip() for word in words.split(",")] if words is not None else []


def _require_broker(settings: Settings) -> None:
    if settings.broker_url is None:
        raise UsageError(
            "no broker is set",
            hint="set REGATTA_BROKER_URL (redis://...); `regatta up` runs everything by itself",
        )


def _require_models(settings: Settings) -> None:
    """Refuse a model that is not registered now, instead of once per process."""
    names = [name for name in _names(settings.preload or None) if name]
    if not names:
        return
    from cli.session import open_database  # noqa: PLC0415 - most workers preload nothing
    from store.models import find_model  # noqa: PLC0415

    with open_database(settings) as db:
        for name in names:
            db.read(lambda s, name=name: find_model(s, name))  # type: ignore[misc]


def _become(command: list[str], told: dict[str, str]) -> NoReturn:
    # In this process's place, so that a supervisor's signals reach the process itself.
    os.execve(command[0], command, told)  # noqa: S606
