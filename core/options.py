"""What a person chose for a job, frozen with its row."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class JobOptions:
    """Options that change a job's results, pictures or shards.

    `threshold` of None is the model's own; `shard_items` and `batch_size` of None are chosen
    by the planner. `alpha` is how much of a segment's colour covers a
    picture. Limits protect workers from decompression bombs.
    """

    max_pixels: int
    max_item_bytes: int
    jpeg_quality: int
    threshold: float | None = None
    annotate: bool = True
    alpha: float = 0.5
    shard_items: int | None = None
    batch_size: int | None = None

    def to_json(self) -> dict[str, Any]:
        """Return plain values for the job's row and its manifest."""
        return asdict(self)

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> "JobOptions":
        """Read what `to_json` wrote."""
        return cls(**data)


@dataclass(frozen=True, slots=True)
class ModelRef:
    """Which model a job runs. A worker loads it only if the digest is this one."""

    name: str
    task: str
    digest: str
    location: str

    def to_json(self) -> dict[str, str]:
        """Return plain values for the job's row and its manifest."""
        return asdict(self)

    @classmethod
    def from_json(cls, data: Mapping[str, str]) -> "ModelRef":
        """Read what `to_json` wrote."""
        return cls(**data)
