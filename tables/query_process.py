"""The process that runs one query: whatever the query does, it does to this process alone.

It takes a pickled `tables.query.Question` on stdin. On stdout it writes what was found as an Arrow
stream; what is wrong, it says on stderr, as JSON.
"""

import json
import os
import pickle
import resource
import sys
from pathlib import Path
from typing import BinaryIO, NoReturn

import pyarrow as pa

from core.errors import RegattaError, UsageError
from store.locations import use_s3
from tables.complaints import complaint
from tables.query import FAILED, Question
from tables.sandbox import Sandbox

_BATCH_ROWS = 10_000
_ROOM = 1 << 30  # address space beside what the query uses: threads, their stacks, buffers


def main() -> NoReturn:
    """Answer the question on stdin."""
    question: Question = pickle.load(sys.stdin.buffer)  # noqa: S301 - from our own parent
    answer = os.fdopen(os.dup(sys.stdout.fileno()), "wb")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())  # whatever libraries print is no answer
    use_s3(question.s3)
    pa.set_cpu_count(question.threads)
    sandbox = None
    try:
        sandbox = Sandbox(question.jobs, threads=question.threads, memory=question.memory)
        _limit(question)
        _answer(sandbox, question.sql, answer)
    except BrokenPipeError:
        os._exit(0)  # nobody reads it any more
    except Exception as error:
        failure = sandbox.failure() if sandbox is not None else None
        _say(complaint(failure or error, f"{question.memory // 1_000_000:,} MB"))
        os._exit(FAILED)
    os._exit(0)  # threads may still read parts that nobody asks for any more


def _limit(question: Question) -> None:
    """Bound what no setting of DuckDB's does: one large expression takes any memory and time."""
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[0])
    space = pages * resource.getpagesize() + question.memory + _ROOM
    resource.setrlimit(resource.RLIMIT_AS, (space, space))
    seconds = int(question.cpu_seconds) + 1
    resource.setrlimit(resource.RLIMIT_CPU, (seconds, seconds))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def _answer(sandbox: Sandbox, sql: str, answer: BinaryIO) -> None:
    reader = sandbox.rows(sql, _BATCH_ROWS)
    with pa.ipc.new_stream(answer, reader.schema) as stream:
        answer.flush()
        for batch in reader:
            stream.write_batch(batch)
            answer.flush()
    answer.flush()


def _say(error: RegattaError) -> None:
    said = {"is_usage": isinstance(error, UsageError), "message": str(error), "hint": error.hint}
    sys.stderr.write(json.dumps(said) + "\n")
    sys.stderr.flush()
