"""What travels through the broker: a doorbell with a shard's address, nothing more."""

from collections.abc import Mapping
from dataclasses import dataclass

from core.errors import RegattaError
from core.kinds import NEED_ENGINE, ShardKind
from core.tasks import TASKS

RUN_SHARD = "regatta.run_shard"
"""The name of the only Celery task. The scheduler publishes by name; only workers define it."""

_INFER_VERSION, _KIND_VERSION = 1, 2
MEDIA_QUEUE = "media"
QUEUES = (*TASKS, MEDIA_QUEUE)


def queue_for(task: str, kind: ShardKind) -> str:
    """Return the queue of a shard: its task's, or `media` for kinds that need no engine."""
    return task if kind in NEED_ENGINE else MEDIA_QUEUE


class UnknownMessageError(RegattaError):
    """The message is of a newer version, or not Regatta's; it is left to a worker that knows it."""


@dataclass(frozen=True, slots=True)
class ShardMessage:
    """Names a shard and its attempt, the fencing token: a claim needs the attempt that was queued.

    A worker that reads only version 1 runs any shard as inference, so all other kinds travel as
    version 2. The shard's row says what it is.
    """

    shard: int
    attempt: int
    is_inference: bool = True

    def to_json(self) -> dict[str, int]:
        """Return the wire form, with its version."""
        version = _INFER_VERSION if self.is_inference else _KIND_VERSION
        return {"version": version, "shard": self.shard, "attempt": self.attempt}

    @classmethod
    def from_json(cls, data: Mapping[str, object]) -> "ShardMessage":
        """Read the wire form.

        Raises:
            UnknownMessageError: the version is unknown, or a field is missing.
        """
        version, shard, attempt = (data.get(name) for name in ("version", "shard", "attempt"))
        if (
            version not in (_INFER_VERSION, _KIND_VERSION)
            or type(shard) is not int
            or type(attempt) is not int
        ):
            raise UnknownMessageError(
                f"cannot read message {dict(data)!r}: expected version {_INFER_VERSION} or "
                f"{_KIND_VERSION} with whole numbers 'shard' and 'attempt'"
            )
        return cls(shard, attempt, is_inference=version == _INFER_VERSION)
