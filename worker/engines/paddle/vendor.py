"""The one place that imports Paddle and undoes what the import does to the process.

Version 3.2.2 replaces the handlers of SIGTERM, SIGSEGV and others with its own, which print a stack
and abort; adds a handler to the root logger (every line would come twice); warns if ccache isn't
installed; changes the warning filters; sets OMP_NUM_THREADS for every child process.
"""

import ctypes
import logging
import os
import signal
import warnings
from typing import Any

_SIGNALS = (
    signal.SIGABRT,
    signal.SIGBUS,
    signal.SIGFPE,
    signal.SIGILL,
    signal.SIGSEGV,
    signal.SIGTERM,
)


def _import_paddle() -> Any:
    actions = _signal_actions()
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    omp_threads = os.environ.get("OMP_NUM_THREADS")
    # At lower levels glog logs every graph pass. It reads this once, when the library is loaded.
    os.environ.setdefault("GLOG_minloglevel", "2")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import paddle  # noqa: PLC0415 - only here can the traces be removed
    for handler in set(root.handlers) - set(handlers):
        root.removeHandler(handler)
    root.setLevel(level)
    if omp_threads is None:
        os.environ.pop("OMP_NUM_THREADS", None)
    _restore(actions)
    return paddle


def _signal_actions() -> dict[int, Any]:
    """Return the handlers in force, as opaque `struct sigaction`s.

    They are read through libc because `signal.signal` works in the main thread only, and
    `paddle.disable_signal_handler` restores the default, which would take SIGTERM away from a
    worker that has installed its drain.
    """
    actions: dict[int, Any] = {number: ctypes.create_string_buffer(256) for number in _SIGNALS}
    for number, action in actions.items():
        ctypes.CDLL(None).sigaction(number, None, action)
    return actions


def _restore(actions: dict[int, Any]) -> None:
    for number, action in actions.items():
        ctypes.CDLL(None).sigaction(number, action, None)


paddle: Any = _import_paddle()
