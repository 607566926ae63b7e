"""What travels through the broker: a doorbell with an address, nothing more."""

from collections.abc import Mapping
from dataclasses import dataclass

from core.errors import RegattaError
from core.kinds import NEED_ENGINE, ShardKind
from core.tasks import TASKS

RUN_SHARD = "regatta.run_shard"
"""The name of the one Celery task. The scheduler publishes by name; only workers have it."""

_INFER_VERSION, _KIND_VERSION = 1, 2
MEDIA_QUEUE = "media"
QUEUES = (*TASKS, MEDIA_QUEUE)


def queue_for(task: str, kind: ShardKind) -> str:
    """The queue of a shard: its task's, or `media` for kinds that need no engine."""
    return task if kind in NEED_ENGINE else MEDIA_QUEUE


class UnknownMessageError(RegattaError):
    """A message of a newer version, or none of ours: it is left for a worker that knows it."""


@dataclass(frozen=True, slots=True)
class ShardMessage:
    """`attempt` is the fencing token: a claim needs the very attempt that was queued.

    Whoever reads only version 1 runs any shard as inference, so that all other kinds travel as
    version 2. What a shard is, its row says.
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
            UnknownMessageError: the version is none of ours, or a field is missing.
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
