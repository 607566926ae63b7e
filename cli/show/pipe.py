"""Pipes whose reader has gone, as in `regatta results latest | head`: no failure."""

import os
import select
import sys
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def for_a_reader() -> Iterator[None]:
    """Print to stdout; if its reader has gone, the rest is left out and the command goes on."""
    try:
        yield
        sys.stdout.flush()
    except BrokenPipeError:
        if not is_reader_gone():
            raise
        nobody_reads()


def is_reader_gone() -> bool:
    """Return whether stdout leads nowhere: other connections break, too, and that is a failure."""
    poll = select.poll()
    poll.register(sys.stdout.fileno(), select.POLLOUT)
    return any(events & (select.POLLERR | select.POLLHUP) for _, events in poll.poll(0))


def nobody_reads() -> None:
    """Let go of a stdout whose reader has gone: Python would fail to flush it at the end."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(nowhere, sys.stdout.fileno())
    finally:
        os.close(nowhere)
