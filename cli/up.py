"""`regatta up`: everything on this machine, in the foreground."""

import sys
import time
from collections.abc import Callable
from pathlib import Path

import click

from cli.exit_codes import INTERRUPTED
from cli.interrupt import terminate_as_interrupt
from cli.session import say
from cli.show.log_lines import readable
from cli.stack.embedded import Stack
from cli.stack.home import Home
from config.settings import load_settings
from core.errors import RegattaError
from core.escape import printable
from core.repeats import Repeats
from store.database_url import redacted

_TICK_SECONDS = 0.3
_LOOK_TICKS = 10


@click.command(epilog="Example: REGATTA_HOME=/data/regatta regatta up")
@click.option(
    "--log-format",
    "form",
    type=click.Choice(["console", "json"]),
    help="How to show the logs.  [default: console on a terminal, else json]",
)
@click.pass_context
def up(ctx: click.Context, /, *, form: str | None) -> None:
    """Run broker, scheduler and worker here until Ctrl-C, and show their logs.

    Jobs come from other terminals: `regatta submit` with the same REGATTA_HOME. What runs when
    it stops is handed back, and continues the next time.
    """
    settings = load_settings()
    form = form or settings.log_format
    is_for_people = form == "console" or (form == "auto" and sys.stdout.isatty())
    show = readable if is_for_people else printable
    with Stack(settings, say) as stack:
        tails = [Tail("keeper", stack.home)]
        if stack.was_running:
            say("another command runs the stack of this home already; these are its logs")
        with terminate_as_interrupt():
            try:
                state = stack.ensure()
                tails += [Tail(name, stack.home) for name in sorted(state.children)]
                say(f"home      {settings.home}")
                say(f"database  {redacted(settings.database_url)}")
                say(f"broker    {state.broker_url if settings.broker_url is None else 'as set'}")
                say(f"outputs   {settings.objects}")
                say(f"logs      {stack.home.logs}")
                say("ready; Ctrl-C stops it")
                _follow(stack, tails, show)
            except KeyboardInterrupt:
                say("stopping; what runs is handed back, unless other commands use the stack")
        if not stack.await_stop():
            say("other commands still use the stack: it keeps running until they have left")
        _print_news(tails, show)
    ctx.exit(INTERRUPTED)


def _follow(stack: Stack, tails: "list[Tail]", show: Callable[[str], str]) -> None:
    tick, repeats = 0, Repeats()
    while True:
        _print_news(tails, show)
        time.sleep(_TICK_SECONDS)
        tick += 1
        if tick % _LOOK_TICKS == 0:
            try:
                stack.ensure()
            except RegattaError as error:
                if repeats.due(str(error)) is not None:
                    say(f"{error}; trying again")


def _print_news(tails: "list[Tail]", show: Callable[[str], str]) -> None:
    for tail in tails:
        for line in tail.news():
            for text in show(line).splitlines():
                click.echo(f"{tail.name:<9} | {text}")


class Tail:
    """What is added to a log from now on, line by line."""

    def __init__(self, name: str, home: Home) -> None:
        self.name = name
        self._path: Path = home.log(name)
        self._at = self._size()
        self._rest = b""

    def news(self) -> list[str]:
        """Return the whole lines added since the last call."""
        if self._size() < self._at:  # it was rotated, and a new one begun
            self._at = 0
        if self._size() == self._at:
            return []
        with self._path.open("rb") as file:
            file.seek(self._at)
            data = file.read()
        self._at += len(data)
        *lines, self._rest = (self._rest + data).split(b"\n")
        return [line.decode(errors="replace") for line in lines]

    def _size(self) -> int:
        return self._path.stat().st_size if self._path.exists() else 0
