"""What planning a job found that does not stop it, but that people should know."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from core.keys import key_to_text
from core.passed_over import UNREADABLE_FILE, UNREADABLE_FOLDER

REPEATED = "named again"

_EXAMPLES = 5
_WORDS = {
    UNREADABLE_FOLDER: (
        "folder can't be read, and what is in it is left out",
        "folders can't be read, and what is in them is left out",
    ),
    UNREADABLE_FILE: (
        "file can't be looked at, and is left out",
        "files can't be looked at, and are left out",
    ),
    REPEATED: (
        "item is named again far below in its list, and has a row each time",
        "items are named again far below in their list, and have a row each time",
    ),
}


@dataclass(slots=True)
class PlanWarnings:
    """How many there are of each kind, and the keys of the first few."""

    counts: dict[str, int] = field(default_factory=dict)
    examples: dict[str, list[str]] = field(default_factory=dict)

    def add(self, kind: str, key: str) -> bool:
        """Count one; return whether it is among the first few of its kind."""
        self.counts[kind] = self.counts.get(kind, 0) + 1
        shown = self.examples.setdefault(kind, [])
        if len(shown) >= _EXAMPLES:
            return False
        shown.append(key_to_text(key))
        return True

    def in_words(self) -> Iterator[str]:
        """Yield a sentence about each kind; one that only a newer version knows is as it is."""
        for kind, count in self.counts.items():
            one, many = _WORDS.get(kind, (kind, kind))
            shown = self.examples.get(kind, [])
            more = ", ..." if count > len(shown) else ""
            yield f"{count:,} {one if count == 1 else many}: {', '.join(shown)}{more}"

    def to_json(self) -> dict[str, Any]:
        """Return plain values, for a job's row."""
        return {
            kind: {"count": count, "examples": list(self.examples.get(kind, []))}
            for kind, count in self.counts.items()
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any] | None) -> "PlanWarnings":
        """Read what `to_json` wrote; None is nothing."""
        said = data or {}
        return cls(
            {kind: one["count"] for kind, one in said.items()},
            {kind: list(one["examples"]) for kind, one in said.items()},
        )
