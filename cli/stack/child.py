"""A child process that is kept running."""

import ctypes
import os
import signal
import subprocess
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from cli.stack.processid import ProcessId
from core.heartbeat_pipe import HEARTBEAT_FD, HeartbeatReader

_FIRST_PAUSE = 0.5
_LONGEST_PAUSE = 10.0
_HEALTHY_SECONDS = 30.0
_START_SECONDS = 900.0  # importing, and preloading models
_DUMP_SECONDS = 2.0
_LARGEST_LOG = 20 * 1024 * 1024
_PR_SET_PDEATHSIG = 1  # see prctl(2)

_libc = ctypes.CDLL(None, use_errno=True)


class Child:
    """One child process: started, restarted when it dies or hangs, stopped.

    The kernel sends it SIGTERM when its parent dies, however that happens. `monotonic` values are
    the caller's. Without a `log` it writes where its parent does. With `hang_seconds` it has to
    keep giving signs of life (`core.heartbeat_pipe`) after the first one.
    """

    def __init__(
        self,
        name: str,
        command: Sequence[str],
        environment: Mapping[str, str],
        log: Path | None = None,
        *,
        hang_seconds: float | None = None,
    ) -> None:
        self.name = name
        self._command = list(command)
        self._environment = dict(environment)
        self._log = log
        self._hang_seconds = hang_seconds
        self._process: subprocess.Popen[bytes] | None = None
        self._heartbeat: HeartbeatReader | None = None
        self._started_at = 0.0
        self._pause = _FIRST_PAUSE
        self._restart_at: float | None = None
        self._silent_from = 0.0
        self._kill_at: float | None = None

    @property
    def identity(self) -> ProcessId | None:
        """The running process, or None."""
        return None if self._process is None else ProcessId.of(self._process.pid)

    @property
    def is_kept(self) -> bool:
        """Whether it runs, or will be started again."""
        return self._process is not None or self._restart_at is not None

    def start(self, now: float) -> None:
        """Start the process; its output goes to its log."""
        environment = self._environment
        if self._hang_seconds is not None:
            self._heartbeat = HeartbeatReader()
            environment = {**environment, HEARTBEAT_FD: str(self._heartbeat.write_end)}
        log = None if self._log is None else _opened(self._log)
        try:
            self._process = subprocess.Popen(
                self._command,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                pass_fds=() if self._heartbeat is None else (self._heartbeat.write_end,),
                process_group=0,  # Ctrl-C in a terminal is for the parent, which passes it on
                preexec_fn=_die_with(os.getpid()),  # noqa: PLW1509 - the parent has one thread
            )
        finally:
            if log is not None:
                os.close(log)
            if self._heartbeat is not None:
                self._heartbeat.handed_over()
        self._started_at, self._restart_at, self._kill_at = now, None, None
        self._silent_from = now + _START_SECONDS

    def died(self, now: float) -> tuple[int, int] | None:
        """Return pid and exit code if the process has died since the last call.

        Its restart is then due after a pause, which grows each time it dies young.
        """
        if self._process is None or self._process.poll() is None:
            return None
        pid, code = self._process.pid, self._ended()
        if now - self._started_at > _HEALTHY_SECONDS:
            self._pause = _FIRST_PAUSE
        self._restart_at = now + self._pause
        self._pause = min(_LONGEST_PAUSE, self._pause * 2)
        return pid, code

    def restart_if_due(self, now: float) -> bool:
        """Start a dead process again once its pause is over; return whether it was started."""
        if self._restart_at is None or now < self._restart_at:
            return False
        self.start(now)
        return True

    def give_up(self) -> None:
        """Give up on the process: it is not started again."""
        self._restart_at = None

    def end_if_hung(self, now: float) -> bool:
        """Make a process that gives no sign of life print its stacks, then kill it.

        Returns:
            Whether it was found to hang just now.
        """
        if self._process is None or self._heartbeat is None or self._hang_seconds is None:
            return False
        if self._kill_at is not None:
            if now >= self._kill_at:
                self._process.kill()
            return False
        if self._heartbeat.beats():
            self._silent_from = now + self._hang_seconds
        if now < self._silent_from:
            return False
        self._process.send_signal(signal.SIGUSR2)  # see worker.app
        self._kill_at = now + _DUMP_SECONDS
        return True

    def terminate(self) -> None:
        """Ask the process to end, if it runs; it is not started again."""
        self._restart_at = None
        if self._process is not None:
            self._process.terminate()

    def kill(self) -> None:
        """Kill the process, if it runs."""
        if self._process is not None:
            self._process.kill()

    def await_end(self, patience: float) -> int | None:
        """Wait for the end, killing it after `patience` seconds; return the exit code."""
        if self._process is None:
            return None
        try:
            self._process.wait(patience)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        return self._ended()

    def _ended(self) -> int:
        assert self._process is not None
        code = self._process.returncode
        self._process = None
        if self._heartbeat is not None:
            self._heartbeat.close()
            self._heartbeat = None
        return code


def _opened(log: Path) -> int:
    if log.exists() and log.stat().st_size > _LARGEST_LOG:
        log.replace(log.with_suffix(".log.1"))
    return os.open(log, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o666)


def _die_with(parent: int) -> Callable[[], None]:
    def prepare() -> None:
        _libc.prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
        if os.getppid() != parent:  # it died in the meantime, so no signal will come
            os._exit(1)

    return prepare
