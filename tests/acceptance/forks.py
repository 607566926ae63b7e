"""Schedulers and workers whose imports are done: what takes each a second or two is done once.

A process is forked from one that imported much and ran nothing. From there on it does what
`python -P -m worker` does, in an environment, a session and a folder of its own.
"""

import atexit
import multiprocessing
import os
import runpy
import signal
import sys
import threading
from collections.abc import Mapping
from pathlib import Path

from worker.suspect_process import end_with_parent

_IMPORTED = ("scheduler.__main__", "worker.__main__", "worker.tasks", "celery.bin.worker")
"""What reads no settings while it is imported."""

_context = multiprocessing.get_context("forkserver")
_context.set_forkserver_preload(list(_IMPORTED))


class Fork:
    """A process that runs a module, with what a test does to a `subprocess.Popen`."""

    def __init__(
        self, module: str, environment: Mapping[str, str], folder: Path, log: Path
    ) -> None:
        self._process = _context.Process(
            target=_run, args=(module, dict(environment), str(folder), str(log))
        )
        self._process.start()
        # It is the fork server's child, and none that tests of this process's children may find.
        multiprocessing.process._children.discard(self._process)
        assert self._process.pid is not None
        self.pid = self._process.pid

    def poll(self) -> int | None:
        return self._process.exitcode

    def wait(self, timeout: float | None = None) -> int:
        self._process.join(timeout)
        code = self._process.exitcode
        if code is None:
            raise TimeoutError(f"the process still runs after {timeout} s")
        return code

    def send_signal(self, number: signal.Signals) -> None:
        if self.poll() is None:
            os.kill(self.pid, number)

    def terminate(self) -> None:
        self.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        self.send_signal(signal.SIGKILL)


def _run(module: str, environment: dict[str, str], folder: str, log: str) -> None:
    os.setsid()
    os.chdir(folder)
    output = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    for standard in (1, 2):
        os.dup2(output, standard)
    os.close(output)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    # A session of its own keeps a killed test run from taking it along.
    threading.Thread(target=end_with_parent, daemon=True).start()
    os.environ.clear()
    os.environ.update(environment)
    sys.path[:0] = environment.get("PYTHONPATH", "").split(os.pathsep)
    sys.argv = [module]
    sys.modules.pop(f"{module}.__main__", None)
    try:
        runpy.run_module(module, run_name="__main__", alter_sys=True)
    finally:
        # As an interpreter ends; a forked process would leave this out.
        threading._shutdown()
        atexit._run_exitfuncs()
