"""`regatta up`: everything on this machine, in the foreground."""

import time
from pathlib import Path

import click

from cli.exit_codes import INTERRUPTED
from cli.interrupt import terminate_as_interrupt
from cli.session import say
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
@click.pass_context
def up(ctx: click.Context, /) -> None:
    """Run broker, scheduler and worker here until Ctrl-C, and show their logs.

    Jobs come from other terminals: `regatta submit` with the same REGATTA_HOME. What runs when
    it stops is handed back, and continues the next time.
    """
    settings = load_settings()
    with Stack(settings, say) as stack:
        tails = [Tail("keeper", stack.home)]
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
                _follow(stack, tails)
            except KeyboardInterrupt:
                say("stopping; what runs is handed back")
        if not stack.await_stop():
            say("other commands still use the stack: it keeps running until they have left")
        _print_news(tails)
    ctx.exit(INTERRUPTED)


def _follow(stack: Stack, tails: "list[Tail]") -> None:
    tick, repeats = 0, Repeats()
    while True:
        _print_news(tails)
        time.sleep(_TICK_SECONDS)
        tick += 1
        if tick % _LOOK_TICKS == 0:
            try:
                stack.ensure()
            except RegattaError as error:
                if repeats.due(str(error)) is not None:
                    say(f"{error}; trying again")


def _print_news(tails: "list[Tail]") -> None:
    for tail in tails:
        for line in tail.news():
            click.echo(line)


class Tail:
    """What is added to a log from now on, line by line."""

    def __init__(self, name: str, home: Home) -> None:
        self._name = name
        self._path: Path = home.log(name)
        self._at = self._size()
        self._rest = b""

    def news(self) -> list[str]:
        """Return the whole lines added since the last call, prefixed with the process's name."""
        if self._size() < self._at:  # it was rotated, and a new one begun
            self._at = 0
        if self._size() == self._at:
            return []
        with self._path.open("rb") as file:
            file.seek(self._at)
            data = file.read()
        self._at += len(data)
        *lines, self._rest = (self._rest + data).split(b"\n")
        texts = (line.decode(errors="replace") for line in lines)
        return [f"{self._name:<9} | {printable(text)}" for text in texts]

    def _size(self) -> int:
        return self._path.stat().st_size if self._path.exists() else 0
