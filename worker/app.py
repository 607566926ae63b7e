"""The worker's Celery application: `celery -A worker.app worker` starts a whole Regatta worker."""

import atexit
import faulthandler
import signal
import sys
from types import FrameType
from typing import Any

import structlog
from celery import Celery
from celery.signals import (
    setup_logging,
    worker_init,
    worker_shutdown,
    worker_shutting_down,
)

from config.broker import celery_settings, required_broker
from config.logs import configure_logs
from config.settings import load_settings
from core.errors import RegattaError, UsageError
from core.messages import QUEUES
from worker import runtime
from worker.kept_lines import KEPT

_MISCONFIGURED = 2  # the command line's exit code too: restarting would change nothing

_log = structlog.get_logger()
_settings = load_settings()

app = Celery("regatta", include=["worker.tasks"])
app.conf.update(
    celery_settings(
        required_broker(_settings.broker_url), visibility_seconds=_settings.visibility_seconds
    )
)
app.conf.update(worker_concurrency=_settings.concurrency)


@setup_logging.connect
def _leave_logs_alone(**_: Any) -> None:
    """Keep Celery from setting up logging, by being connected; `_begin` has done it already."""


@worker_init.connect
def _begin(sender: Any, **_: Any) -> None:
    configure_logs(_settings, keep=KEPT)
    # In C, so it works even when Python hangs: a supervisor asks for the stacks before it kills.
    faulthandler.register(signal.SIGUSR2, file=sys.__stderr__ or sys.stderr, all_threads=True)
    # Celery handles SIGTERM only after this, but the worker is already visible and must sign off.
    signal.signal(signal.SIGTERM, _leave)
    atexit.register(runtime.end)
    queues = tuple(str(name) for name in sender.app.amqp.queues.consume_from)
    try:
        runtime.begin(_settings, tuple(name for name in queues if name in QUEUES))
    except Exception as error:
        # Celery would log it and go on as a worker that takes messages but can't handle them.
        _log.critical(
            "the worker cannot start",
            error=str(error),
            hint=getattr(error, "hint", None),
            exc_info=not isinstance(error, RegattaError),
        )
        raise SystemExit(_MISCONFIGURED if isinstance(error, UsageError) else 1) from error


def _leave(_number: int, _frame: FrameType | None) -> None:
    raise SystemExit(0)


@worker_shutting_down.connect
def _drain(**_: Any) -> None:
    runtime.current().drain()


@worker_shutdown.connect
def _end(**_: Any) -> None:
    runtime.end()
