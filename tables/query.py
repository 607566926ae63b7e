"""Asks questions about results, in SQL, in a process of their own."""

import json
import os
import pickle
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import pyarrow as pa

from core.errors import FatalError, RegattaError, UsageError
from core.wording import duration
from store.s3.options import S3Options
from tables.sources import Asked

FAILED = 3
"""The exit code of a process that has said what is wrong."""

_ROOT = str(Path(__file__).parents[1])
_RUN = "import sys; sys.path.insert(0, sys.argv[1]); from tables.query_process import main; main()"


@dataclass(frozen=True, slots=True)
class Question:
    """A query about jobs, and what it may use: threads, bytes of memory, CPU seconds."""

    jobs: Sequence[Asked]
    sql: str
    s3: S3Options
    threads: int
    memory: int
    cpu_seconds: float


class Answer:
    """What a query finds, as it is found."""

    def __init__(self, process: "subprocess.Popen[bytes]", limit: float) -> None:
        """Wait for the first of it; `limit` is how long to wait for all of it, in seconds.

        Raises:
            RegattaError: the query fails, or runs out of memory or time.
        """
        self._process = process
        self._limit = limit
        self._left = limit
        self._is_late = False
        assert process.stdout is not None
        self._reader = self._waited(partial(pa.ipc.open_stream, process.stdout))
        self.schema: pa.Schema = self._reader.schema
        """The names and types of the columns."""

    def batches(self) -> Iterator[pa.RecordBatch]:
        """Yield the rows.

        Raises:
            RegattaError: as above.
        """
        while (batch := self._waited(partial(next, self._reader, None))) is not None:
            yield batch
        self._end()

    def _waited(self, read: Callable[[], Any]) -> Any:
        """Return what comes next. Only the time that is spent here counts: readers may pause."""
        begun = time.monotonic()
        timer = threading.Timer(max(0.0, self._left), self._stop)
        timer.daemon = True
        timer.start()
        try:
            return read()
        except (pa.ArrowException, OSError) as error:
            self._end()
            raise FatalError(f"the query's process is not understood: {error}") from error
        finally:
            timer.cancel()
            self._left -= time.monotonic() - begun

    def _stop(self) -> None:
        self._is_late = True
        self._process.kill()

    def _end(self) -> None:
        """Raise what went wrong in the process, if anything did."""
        assert self._process.stderr is not None
        said = self._process.stderr.read().decode(errors="replace").strip()
        code = self._process.wait()
        if self._is_late or code == -signal.SIGXCPU:
            raise UsageError(
                f"the query took longer than {duration(self._limit)}",
                hint="ask for less, or give it more time: --timeout",
            )
        if code == FAILED:
            raise _failure(json.loads(said.splitlines()[-1]))
        if code:
            raise UsageError(
                "the query's process died: it probably needed more memory than it may use",
                hint="ask for less, or give it more memory: --memory",
            )


def _failure(said: Mapping[str, Any]) -> RegattaError:
    kind = UsageError if said["is_usage"] else FatalError
    return kind(said["message"], hint=said["hint"])


@contextmanager
def asking(timeout: float) -> Iterator[Callable[[Question], Answer]]:
    """Provide the function that answers a question; the process that does so ends with the context.

    It starts at once, while the question may still be made. `timeout` is in seconds.
    """
    process = subprocess.Popen(
        [sys.executable, "-P", "-c", _RUN, _ROOT],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env={**os.environ, "MALLOC_ARENA_MAX": "2"},  # each arena reserves 64 MiB of its addresses
    )

    def ask(question: Question) -> Answer:
        assert process.stdin is not None
        with suppress(BrokenPipeError), process.stdin:
            pickle.dump(question, process.stdin)
        return Answer(process, timeout)

    try:
        yield ask
    finally:
        process.kill()
        process.wait()
        for pipe in (process.stdin, process.stdout, process.stderr):
            assert pipe is not None
            with suppress(BrokenPipeError):
                pipe.close()
