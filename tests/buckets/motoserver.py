"""Moto's S3 over HTTP: quick to start, strict about conditions, blind to signatures."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.buckets.server import Server, await_port, free_port, started


@contextmanager
def moto(folder: Path) -> Iterator[Server]:
    """A server with nothing in it, until the block ends."""
    port = free_port()
    command = [str(Path(sys.executable).parent / "moto_server"), "-H", "127.0.0.1", "-p", str(port)]
    log = folder / "moto.log"
    with started(command, log) as process:
        await_port(port, process, log)
        yield Server(f"http://127.0.0.1:{port}")
