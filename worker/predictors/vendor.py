"""The one place that imports Paddle, and undoes what the import does to its process.

Seen with 3.2.2: it installs C++ handlers for SIGTERM, SIGSEGV and others that print a stack and
abort, puts a handler on the root logger (every log line would come twice), warns where no ccache
is installed, changes the warning filters and sets OMP_NUM_THREADS for every child process.
"""

import logging
import os
import warnings
from types import ModuleType


def _import_paddle() -> ModuleType:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    omp_threads = os.environ.get("OMP_NUM_THREADS")
    # Below errors glog talks about every graph pass; read once, when the library is loaded.
    os.environ.setdefault("GLOG_minloglevel", "2")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import paddle  # noqa: PLC0415 - only here can the traces be removed
    for handler in set(root.handlers) - set(handlers):
        root.removeHandler(handler)
    root.setLevel(level)
    if omp_threads is None:
        os.environ.pop("OMP_NUM_THREADS", None)
    paddle.disable_signal_handler()
    return paddle


paddle = _import_paddle()
