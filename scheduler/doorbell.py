"""The broker, as the scheduler uses it: publish by name, and see how deep a queue is."""

from collections.abc import Iterable, Mapping
from typing import Any

from amqp.exceptions import ChannelError
from celery import Celery
from kombu.exceptions import OperationalError
from redis.exceptions import RedisError

from core.errors import RetryableError
from core.kinds import ShardKind
from core.messages import RUN_SHARD, ShardMessage
from core.work import Hold

_BROKEN = (OperationalError, RedisError, OSError)


class Doorbell:
    """Rings the workers' doorbell. Not to be shared between threads."""

    def __init__(self, settings: Mapping[str, Any]) -> None:
        self._app = Celery("regatta-scheduler", set_as_current=False)
        self._app.conf.update(settings)

    def ring(self, queue: str, holds: Iterable[Hold], kind: ShardKind = ShardKind.INFER) -> None:
        """Publish a message for each of these holds on shards of one kind.

        Raises:
            RetryableError: the broker is away; some may have been published.
        """
        try:
            with self._app.producer_or_acquire() as producer:
                for hold in holds:
                    message = ShardMessage(
                        hold.shard, hold.attempt, is_inference=kind is ShardKind.INFER
                    )
                    self._app.send_task(
                        RUN_SHARD,
                        args=[message.to_json()],
                        queue=queue,
                        producer=producer,
                        retry=False,
                    )
        except _BROKEN as error:
            raise RetryableError(f"the broker cannot be reached: {error}") from error

    def depth(self, queue: str) -> int:
        """Return how many messages lie in a queue, unread.

        Raises:
            RetryableError: the broker is away.
        """
        try:
            with self._app.connection_or_acquire() as connection:
                declared = connection.default_channel.queue_declare(queue, passive=True)
                return int(declared.message_count)
        except ChannelError:
            return 0  # nobody has consumed or published yet
        except _BROKEN as error:
            raise RetryableError(f"the broker cannot be reached: {error}") from error

    def close(self) -> None:
        """Drop the connections."""
        self._app.close()
