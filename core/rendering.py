"""What a shard of the kind `render` draws from: the rows that a shard of another job committed."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from core.codec import checked_keys, to_plain
from core.option import IS_LATER


@dataclass(frozen=True, slots=True)
class Drawn:
    """A part of another job's results, as it was when the redrawing was planned.

    The part lies at `key` under that job's `output`, with the mask files that its rows name, and
    has this `sha256`. `legends` are those of its models, by name, as JSON. `listed` is how many
    items the other job had, if a sample of them is drawn. `indexes` are the positions that the
    shard's items have in the other job, in the order of the shard; empty if they are the same.
    """

    job: str
    output: str
    key: str
    sha256: str
    legends: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    listed: int = field(default=0, metadata={IS_LATER: True})
    indexes: tuple[int, ...] = field(default=(), metadata={IS_LATER: True})

    def to_json(self) -> dict[str, Any]:
        """Return plain values for a shard's row."""
        return to_plain(self)

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> "Drawn":
        """Read what `to_json` wrote.

        Raises:
            NewerError: a newer version wrote it.
        """
        values = checked_keys(data, "key of what is drawn", cls)
        return cls(**{**values, "indexes": tuple(values.get("indexes", ()))})
