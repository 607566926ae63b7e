"""A whole Regatta as processes, which a test may stop, freeze and kill."""

import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import closing, suppress
from pathlib import Path
from typing import Any, TypeVar

import redis
from sqlalchemy import select

from cli.stack.broker import answers, server_binary
from core.request import JobRequest
from core.states import ShardState
from scheduler.submit import JobDefaults, submit
from store.database import Database
from store.jobs import Tally, get_job, tally
from store.tables import Job, Process, Shard
from tests.acceptance.environment import environment
from tests.acceptance.forks import Fork
from tests.databases import NewDatabase

T = TypeVar("T")
Started = subprocess.Popen[bytes] | Fork

DEADLINE = 90.0
_POLL_SECONDS = 0.02


class Fleet:
    """Processes of one home. Nothing runs until it is started; `close` ends all of it.

    `gate` is the file that the stand-in's marked picture waits for while it exists; `settings`
    are those of every process that is started from now on.
    """

    def __init__(self, folder: Path, new_database: NewDatabase) -> None:
        self.folder = folder
        self.gate = folder / "gate.closed"
        self.settings: dict[str, str] = {}
        # Paths of sockets are limited to about 100 bytes.
        self.runtime = Path(tempfile.mkdtemp(prefix="regatta-test-", dir="/tmp"))
        self.socket = self.runtime / "redis"
        folder.mkdir(parents=True, exist_ok=True)
        self.db = Database(new_database(folder))
        self._processes: list[Started] = []
        self._workers: list[Fork] = []

    # Processes

    def start(self, *, schedulers: int = 1, workers: int = 1, **worker_settings: str) -> None:
        """Start a broker, schedulers and workers."""
        self.start_redis()
        for _ in range(schedulers):
            self.start_scheduler()
        for _ in range(workers):
            self.start_worker(**worker_settings)

    def start_redis(self) -> subprocess.Popen[bytes]:
        """Start the broker, empty, and wait until it answers."""
        options = {"port": "0", "unixsocket": str(self.socket), "save": "", "dir": self.runtime}
        words = [str(word) for name, v in options.items() for word in (f"--{name}", v)]
        server = self._spawn("redis", [server_binary(), *words], {})
        self.until(lambda: answers(self.socket), "Redis answers")
        return server

    def start_scheduler(self, **settings: str) -> Fork:
        return self._fork("scheduler", settings)

    def start_worker(self, **settings: str) -> Fork:
        self._workers.append(self._fork("worker", settings))
        return self._workers[-1]

    def start_program(self, *words: str, **settings: str) -> subprocess.Popen[bytes]:
        """Start a program of the environment that these tests run in, such as `regatta`."""
        program = str(Path(sys.executable).with_name(words[0]))
        return self._spawn(words[0], [program, *words[1:]], settings)

    def environment(self, **settings: str) -> dict[str, str]:
        """The environment of this home's processes; see `tests.acceptance.environment`."""
        places = {
            "HOME": str(self.folder),
            "DATABASE_URL": self.db.url,
            "BROKER_URL": f"redis+socket://{self.socket}",
            "STANDIN_GATE": str(self.gate),
        }
        return environment(**(places | self.settings | settings))

    def kill(self, process: Started) -> None:
        """End a process at once, as `kill -9` does."""
        process.kill()
        process.wait()

    def freeze(self, process: Started) -> None:
        """Stop a process where it stands, but not while it holds the database's lock: all wait."""

        def is_frozen() -> bool:
            process.send_signal(signal.SIGSTOP)
            if _is_free(self.folder / "regatta.db"):
                return True
            process.send_signal(signal.SIGCONT)
            return False

        self.until(is_frozen, "a process stands still without a lock")

    def stop(self, process: Started) -> int:
        """Ask a process to end and return its exit status."""
        process.terminate()
        return process.wait(DEADLINE)

    def close(self) -> None:
        """End whatever still runs."""
        for process in reversed(self._processes):
            # The group: an isolated process must not outlive the test that killed its parent.
            _signal_group(process, signal.SIGKILL)
            process.wait()
        self.db.close()
        shutil.rmtree(self.runtime)

    def _spawn(
        self, name: str, command: list[str], settings: dict[str, str]
    ) -> subprocess.Popen[bytes]:
        with self._log(name).open("wb") as log:
            process = subprocess.Popen(
                command,
                env=self.environment(**settings),
                cwd=self.folder,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        self._processes.append(process)
        return process

    def _fork(self, module: str, settings: dict[str, str]) -> Fork:
        process = Fork(module, self.environment(**settings), self.folder, self._log(module))
        self._processes.append(process)
        return process

    def _log(self, name: str) -> Path:
        return self.folder / f"{len(self._processes)}-{name}.log"

    def log(self, process: Started) -> str:
        """What a process has said so far."""
        number = self._processes.index(process)
        (path,) = self.folder.glob(f"{number}-*.log")
        return path.read_text(errors="replace")

    # The broker

    def redis(self) -> "redis.Redis":
        return redis.Redis(unix_socket_path=str(self.socket))

    # The gate

    def close_gate(self) -> None:
        self.gate.touch()

    def until_held(self) -> None:
        """Wait until a worker stands at the gate, in the middle of a shard."""
        waiting = self.gate.with_suffix(".waiting")
        self.until(waiting.exists, "a worker waits at the gate")

    def open_gate(self) -> None:
        self.gate.unlink()
        self.gate.with_suffix(".waiting").unlink(missing_ok=True)

    def hurry(self) -> None:
        """From now on no batch takes longer than it must."""
        self.gate.with_suffix(".hurry").touch()

    # Jobs

    def submit(self, source: Path | str, model: Path | str, **request: Any) -> str:
        """Submit a job and return its id; six items a shard and four a batch unless told."""
        wanted = {"shard_items": 6, "batch_size": 4, **request}
        defaults = JobDefaults(
            objects=str(self.folder / "outputs"),
            max_pixels=1_000_000,
            max_item_bytes=1_000_000,
            jpeg_quality=90,
        )
        return submit(self.db, JobRequest.of(str(source), str(model), **wanted), defaults).id

    def job(self, job_id: str) -> Job:
        return self.db.read(lambda s: get_job(s, job_id))

    def tally(self, job_id: str) -> Tally:
        return self.db.read(lambda s: tally(s, [get_job(s, job_id)]))[job_id]

    def shards(self, job_id: str, *states: ShardState) -> Sequence[Shard]:
        """A job's shards, those in any of `states` if some are given."""
        query = select(Shard).where(Shard.job_id == job_id).order_by(Shard.seq)
        if states:
            query = query.where(Shard.state.in_(states))
        return self.db.read(lambda s: s.scalars(query).all())

    def processes(self, role: str) -> Sequence[Process]:
        return self.db.read(lambda s: s.scalars(select(Process).where(Process.role == role)).all())

    def until_ended(self, job_id: str, *, keep_working: bool = False, **settings: str) -> Job:
        """Wait for a job's end; with `keep_working`, start a worker whenever the last has died."""

        def ended() -> Job | None:
            if keep_working and all(worker.poll() is not None for worker in self._workers):
                self.start_worker(**settings)
            job = self.job(job_id)
            return job if job.finished_at else None

        return self.until(ended, f"job {job_id} ends")

    def until(self, condition: Callable[[], T | None], what: str) -> T:
        """Poll until `condition` gives something true, and return that."""
        deadline = time.monotonic() + DEADLINE
        pause = threading.Event()
        while not (found := condition()):
            if time.monotonic() > deadline:
                raise TimeoutError(f"waited {DEADLINE:g} s until {what}\n{self._story()}")
            pause.wait(_POLL_SECONDS)
        return found

    def _story(self) -> str:
        logs = sorted(self.folder.glob("*.log"))
        return "\n".join(f"--- {p.name}\n{p.read_text(errors='replace')[-3000:]}" for p in logs)


def _is_free(database: Path) -> bool:
    with closing(sqlite3.connect(database, timeout=0.5, isolation_level=None)) as connection:
        try:
            connection.execute("BEGIN IMMEDIATE")
        except sqlite3.OperationalError:
            return False
        connection.execute("ROLLBACK")
    return True


def _signal_group(process: Started, number: signal.Signals) -> None:
    with suppress(ProcessLookupError):
        os.killpg(process.pid, number)
