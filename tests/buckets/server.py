"""A server of the tests' own: how it is started, where it is, and the key that it takes."""

import socket
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from store.s3.options import S3Options

ACCESS_KEY, SECRET_KEY = "test:tester", "testing"
_TRIES = 3000


@dataclass
class Server:
    """Where an S3 server answers."""

    url: str

    def options(self, **more: object) -> S3Options:
        """How to speak to it; it is near, so that nothing needs much patience."""
        told = {"region": "us-east-1", "addressing": "path", "max_attempts": 3}
        return S3Options(endpoint_url=self.url, **(told | more))  # type: ignore[arg-type]


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        return int(taken.getsockname()[1])


@contextmanager
def started(command: Sequence[str], log: Path) -> Iterator[subprocess.Popen[bytes]]:
    """A process that lives until the block ends."""
    with log.open("wb") as out:
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=out, stderr=out)
    try:
        yield process
    finally:
        process.terminate()
        process.wait()


def await_port(port: int, process: subprocess.Popen[bytes], log: Path) -> None:
    """Wait until a process listens on a port of this machine."""
    for _ in range(_TRIES):
        with suppress(ConnectionRefusedError), socket.create_connection(("127.0.0.1", port)):
            return
        assert process.poll() is None, log.read_text(errors="replace")[-3000:]
        time.sleep(0.01)  # nothing tells when a server begins to listen
    raise AssertionError(f"nobody listens on port {port}")
