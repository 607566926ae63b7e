"""A process that the keeper keeps running."""

import ctypes
import os
import signal
import subprocess
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from cli.processid import ProcessId

_FIRST_PAUSE = 0.5
_LONGEST_PAUSE = 10.0
_HEALTHY_SECONDS = 30.0
_LARGEST_LOG = 20 * 1024 * 1024
_PR_SET_PDEATHSIG = 1  # see prctl(2)

_libc = ctypes.CDLL(None, use_errno=True)


class Child:
    """One process of the stack: started, started again when it dies, stopped.

    It gets SIGTERM from the kernel when the keeper dies, whatever killed the keeper. `monotonic`
    values are the caller's.
    """

    def __init__(
        self, name: str, command: Sequence[str], environment: Mapping[str, str], log: Path
    ) -> None:
        self.name = name
        self._command = list(command)
        self._environment = dict(environment)
        self._log = log
        self._process: subprocess.Popen[bytes] | None = None
        self._started_at = 0.0
        self._pause = _FIRST_PAUSE
        self._restart_at: float | None = None

    @property
    def identity(self) -> ProcessId | None:
        """The running process, or None."""
        return None if self._process is None else ProcessId.of(self._process.pid)

    def start(self, now: float) -> None:
        """Start the process; what it says goes to its log."""
        if self._log.exists() and self._log.stat().st_size > _LARGEST_LOG:
            self._log.replace(self._log.with_suffix(".log.1"))
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                self._command,
                env=self._environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                preexec_fn=_die_with(os.getpid()),  # noqa: PLW1509 - the keeper has one thread
            )
        self._started_at, self._restart_at = now, None

    def died(self, now: float) -> tuple[int, int] | None:
        """Return pid and exit code if the process has died since it was asked last.

        Its restart is then due after a pause, longer each time it dies young.
        """
        if self._process is None or self._process.poll() is None:
            return None
        pid, code = self._process.pid, self._process.returncode
        self._process = None
        if now - self._started_at > _HEALTHY_SECONDS:
            self._pause = _FIRST_PAUSE
        self._restart_at = now + self._pause
        self._pause = min(_LONGEST_PAUSE, self._pause * 2)
        return pid, code

    def restart_if_due(self, now: float) -> bool:
        """Start a dead process again once its pause is over; whether it was started."""
        if self._restart_at is None or now < self._restart_at:
            return False
        self.start(now)
        return True

    def stop(self, patience: float) -> int | None:
        """Send SIGTERM, then SIGKILL after `patience` seconds; return the exit code, if it ran."""
        if self._process is None:
            return None
        self._process.terminate()
        try:
            self._process.wait(patience)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        code = self._process.returncode
        self._process = None
        return code


def _die_with(parent: int) -> Callable[[], None]:
    def prepare() -> None:
        _libc.prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
        if os.getppid() != parent:  # it died in the meantime, so that no signal will come
            os._exit(1)

    return prepare
