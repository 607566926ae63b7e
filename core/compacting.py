"""What a shard of the kind `compact` reads: some parts of another job's results."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from core.codec import checked_keys, to_plain


@dataclass(frozen=True, slots=True)
class Compacted:
    """The job whose results are compacted, in the generation in which that was planned.

    A shard without an item manifest works on parts of that job, by their places in its view; one
    with a manifest on results that the job has taken over. Those of the jobs `moved` are written
    anew, with their files: each under a folder of this name (ending in `/`, or empty), so that
    files of two jobs never meet.
    """

    job: str
    generation: int
    moved: Mapping[str, str] = field(default_factory=dict)

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
