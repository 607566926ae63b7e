"""What travels through the broker: a doorbell with an address, nothing more."""

from collections.abc import Mapping
from dataclasses import dataclass

from core.errors import RegattaError
from core.states import ShardKind
from core.tasks import TASKS

RUN_SHARD = "regatta.run_shard"
"""The name of the one Celery task. The scheduler publishes by name; only workers have it."""

VERSION = 1
MEDIA_QUEUE = "media"
QUEUES = (*TASKS, MEDIA_QUEUE)

_WITH_MODEL = frozenset({ShardKind.INFER, ShardKind.TRACK})


def queue_for(task: str, kind: ShardKind) -> str:
    """The queue of a shard: its task's, or `media` for kinds that need no model."""
    return task if kind in _WITH_MODEL else MEDIA_QUEUE


class UnknownMessageError(RegattaError):
    """A message of a newer version, or none of ours: it is left for a worker that knows it."""


@dataclass(frozen=True, slots=True)
class ShardMessage:
    """`attempt` is the fencing token: a claim needs the very attempt that was queued."""

    shard: int
    attempt: int

    def to_json(self) -> dict[str, int]:
        """Return the wire form, with its version."""
        return {"version": VERSION, "shard": self.shard, "attempt": self.attempt}

    @classmethod
    def from_json(cls, data: Mapping[str, object]) -> "ShardMessage":
        """Read the wire form.

        Raises:
            UnknownMessageError: the version is not ours, or a field is missing.
        """
        shard, attempt = data.get("shard"), data.get("attempt")
        if data.get("version") != VERSION or type(shard) is not int or type(attempt) is not int:
            raise UnknownMessageError(
                f"cannot read message {dict(data)!r}: expected version {VERSION} "
                "with whole numbers 'shard' and 'attempt'"
            )
        return cls(shard, attempt)
