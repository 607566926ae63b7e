"""The worker's Celery application: `celery -A worker.app worker` is a whole Regatta worker."""

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
from core.errors import RegattaError
from core.messages import QUEUES
from worker import runtime

_log = structlog.get_logger()
_settings = load_settings()

app = Celery("regatta", include=["worker.tasks"])
app.conf.update(celery_settings(required_broker(_settings.broker_url)))
app.conf.update(worker_concurrency=_settings.concurrency)


@setup_logging.connect
def _leave_logs_alone(**_: Any) -> None:
    """A receiver here keeps Celery from setting up logging; `_begin` has done it by then."""


@worker_init.connect
def _begin(sender: Any, **_: Any) -> None:
    configure_logs(_settings)
    queues = tuple(str(name) for name in sender.app.amqp.queues.consume_from)
    try:
        runtime.begin(_settings, tuple(name for name in queues if name in QUEUES))
    except Exception as error:
        # Celery would log it and go on, as a worker that takes messages and can do nothing.
        _log.critical(
            "the worker cannot start",
            error=str(error),
            hint=getattr(error, "hint", None),
            exc_info=not isinstance(error, RegattaError),
        )
        raise SystemExit(1) from error


@worker_shutting_down.connect
def _drain(**_: Any) -> None:
    runtime.current().drain()


@worker_shutdown.connect
def _end(**_: Any) -> None:
    runtime.end()
