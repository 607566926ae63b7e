"""The Celery task: decode the message, run the shard, map the outcome."""

from typing import Any

import structlog
from celery import shared_task

from core.errors import RegattaError
from core.messages import RUN_SHARD, ShardMessage, UnknownMessageError
from core.repeats import Repeats
from core.work import Hold
from worker import runtime

_log = structlog.get_logger()
_repeats = Repeats()


@shared_task(name=RUN_SHARD)
def run_shard(message: dict[str, Any]) -> str:
    """Run one shard.

    Nothing is raised to Celery: the database decides what becomes of a shard, and the scheduler
    republishes a message that led to nothing.
    """
    try:
        doorbell = ShardMessage.from_json(message)
    except UnknownMessageError as error:
        _log.warning("message left for a newer worker", error=str(error))
        return "unknown"
    try:
        return runtime.current().run(Hold(doorbell.shard, doorbell.attempt))
    except RegattaError as error:
        if (times := _repeats.due(type(error).__name__)) is not None:
            _log.warning(
                "shard left to its lease", shard=doorbell.shard, error=str(error), times=times
            )
        return "left"
