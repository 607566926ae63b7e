"""What a shard of the kind `compact` reads: some parts of another job's results."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from core.codec import checked_keys, to_plain


@dataclass(frozen=True, slots=True)
class Compacted:
    """The job whose results are compacted, in the generation in which they were planned.

    Results that it carries over from the jobs `moved` are written anew, with their files.
    """

    job: str
    generation: int
    moved: Sequence[str] = ()

    def to_json(self) -> dict[str, Any]:
        """Return plain values for a shard's row."""
        return to_plain(self)

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> "Compacted":
        """Read what `to_json` wrote.

        Raises:
            NewerError: a newer version wrote it.
        """
        return cls(**checked_keys(data, "key of what is compacted", cls))
