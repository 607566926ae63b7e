"""What a shard of the kind `render` draws from: the rows that a shard of another job committed."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from core.codec import checked_keys


@dataclass(frozen=True, slots=True)
class Drawn:
    """A part of another job's results, as it was when the redrawing was planned.

    The part lies at `key` under that job's `output`, with the mask files that its rows name, and
    has this `sha256`. `legends` are those of its models, by name, as JSON.
    """

    job: str
    output: str
    key: str
    sha256: str
    legends: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        """Return plain values for a shard's row."""
        return asdict(self)

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> "Drawn":
        """Read what `to_json` wrote.

        Raises:
            NewerError: a newer version wrote it.
        """
        return cls(**checked_keys(data, "key of what is drawn", cls))
