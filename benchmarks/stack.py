"""Runs a benchmark's own broker, schedulers and workers, with default settings."""

import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from cli.stack.broker import answers, server_binary
from cli.stack.environment import python_module
from core.request import JobRequest
from migrations.upgrade import upgrade
from scheduler.submit import JobDefaults, submit
from store import processes
from store.database import Database
from store.jobs import Tally, get_job, tally
from store.tables import Job

_POLL_SECONDS = 0.2
_START_SECONDS = 60.0

Child = subprocess.Popen[bytes]


class Stack:
    """Starts processes that share a database and a broker, and ends them on exit.

    `database_url` names an empty database; the default is a new SQLite file in `folder`. `settings`
    apply to every process; their names have no prefix.
    """

    def __init__(self, folder: Path, database_url: str | None = None, **settings: object) -> None:
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        # Socket paths are limited to about 100 bytes.
        self._runtime = Path(tempfile.mkdtemp(prefix="regatta-bench-", dir="/tmp"))
        self._socket = self._runtime / "redis"
        self._settings = settings
        self._processes: list[Child] = []
        url = database_url or f"sqlite:///{folder / 'regatta.db'}"
        upgrade(url)
        self.db = Database(url)
        self.broker = self._start_broker()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for process in reversed(self._processes):
            kill(process)
        self.db.close()
        shutil.rmtree(self._runtime)

    def start(self, module: str, **settings: object) -> Child:
        """Start a module; its output goes to a file in the folder."""
        return self._spawn(python_module(module), **settings)

    def await_alive(self, role: str, number: int) -> None:
        """Wait until `number` processes of a role have sent a heartbeat."""
        self.until(lambda: self._alive(role) >= number, _START_SECONDS)

    def submit(self, source: Path, model: Path, **request: Any) -> str:
        """Submit a job and return its id."""
        defaults = JobDefaults(
            objects=str(self.folder / "outputs"),
            max_pixels=2 * 10**8,
            max_item_bytes=2**28,
            jpeg_quality=90,
        )
        return submit(self.db, JobRequest.of(str(source), str(model), **request), defaults).id

    def job(self, job_id: str) -> Job:
        """Return the job's row."""
        return self.db.read(lambda s: get_job(s, job_id))

    def tally(self, job_id: str) -> Tally:
        """Return the tally of the job's items."""
        return self.db.read(lambda s: tally(s, [get_job(s, job_id)]))[job_id]

    def has_ended(self, job_id: str) -> bool:
        """Return whether the job has ended."""
        return self.job(job_id).finished_at is not None

    def until(self, condition: Callable[[], bool], seconds: float) -> None:
        """Poll until `condition` is true."""
        deadline = time.monotonic() + seconds
        while not condition():
            if time.monotonic() > deadline:
                raise TimeoutError(f"waited {seconds:g} s; see the logs in {self.folder}")
            time.sleep(_POLL_SECONDS)

    def _alive(self, role: str) -> int:
        return len(self.db.read(lambda s: processes.live(s, role, now=self.db.now(s), within=30.0)))

    def _start_broker(self) -> Child:
        options = {"port": "0", "unixsocket": str(self._socket), "save": "", "appendonly": "yes"}
        words = [str(word) for name, value in options.items() for word in (f"--{name}", value)]
        broker = self._spawn([server_binary(), *words, "--dir", str(self._runtime)])
        self.until(lambda: answers(self._socket), _START_SECONDS)
        return broker

    def _spawn(self, command: list[str], **settings: object) -> Child:
        told = {
            "HOME": self.folder,
            "DATABASE_URL": self.db.engine.url.render_as_string(hide_password=False),
            "BROKER_URL": f"redis+socket://{self._socket}",
            "LOG_FORMAT": "console",
            **self._settings,
            **settings,
        }
        unwanted = ("REGATTA_", "PYTHONDONTWRITEBYTECODE")
        inherited = {k: v for k, v in os.environ.items() if not k.startswith(unwanted)}
        with (self.folder / f"{len(self._processes)}.log").open("wb") as log:
            process = subprocess.Popen(
                command,
                env=inherited | {f"REGATTA_{name}": str(value) for name, value in told.items()},
                cwd=self.folder,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        self._processes.append(process)
        return process


def kill(process: Child) -> None:
    """Kill a process and its descendants, as by `kill -9`."""
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
