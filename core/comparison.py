"""What a job that only does what is new found when it compared its source with earlier results."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any


@dataclass(frozen=True, slots=True)
class Comparison:
    """How many items of which sort there are. Each is of one sort.

    - `unchanged`: they have the content that an earlier result is of, and the same key.
    - `moved`: the same content had a result under another key.
    - `quarantined`: their content could not be processed, and nothing has changed about that.
    - `new`: neither the key nor the content was there.
    - `changed`: the content is another one, or nothing says what it is.
    - `retried`: the content is the same, and had no result yet.
    - `gone`: there was a result, and the source no longer lists the item.

    Of those unchanged, moved and quarantined, `redone` are done anew, and `redrawn` get new
    pictures of the rows that there are; `cause` says why. The results of the others are taken over:
    `manifests` are the keys of the lists of these (`store.carried`).
    """

    unchanged: int = 0
    moved: int = 0
    quarantined: int = 0
    new: int = 0
    changed: int = 0
    retried: int = 0
    gone: int = 0
    redone: int = 0
    redrawn: int = 0
    cause: str | None = None
    manifests: tuple[str, ...] = ()

    @property
    def carried(self) -> int:
        """How many items have the results that they had."""
        return self.unchanged + self.moved + self.quarantined - self.redone - self.redrawn

    @property
    def done(self) -> int:
        """How many items a network runs on."""
        return self.new + self.changed + self.retried + self.redone

    @property
    def words(self) -> str:
        """The comparison in words: `12,431 unchanged, 210 new, 3 changed, 7 gone`."""
        counts = [
            f"{number:,} {word}"
            for name, word in _WORDS.items()
            if (number := getattr(self, name)) or name in _ALWAYS
        ]
        return ", ".join(counts) + (f"; {self.cause} -> {self._affected}" if self.cause else "")

    @property
    def _affected(self) -> str:
        """Which of those that are the same are not taken over, in words."""
        redone, redrawn = f"{self.redone:,}", f"{self.redrawn:,} drawn again"
        if self.redone and self.redrawn:
            return f"{redone}, {redrawn}"
        if not self.carried:
            return "all drawn again" if self.redrawn else "all"
        return redrawn if self.redrawn else redone

    def to_json(self) -> dict[str, Any]:
        """Return plain values for a job's row."""
        return {**asdict(self), "manifests": list(self.manifests)}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> "Comparison":
        """Read what `to_json` wrote; what only a later version knows is ignored."""
        known = {each.name: data[each.name] for each in fields(cls) if each.name in data}
        return cls(**{**known, "manifests": tuple(known.get("manifests", ()))})


_WORDS = {
    "unchanged": "unchanged",
    "moved": "moved",
    "new": "new",
    "changed": "changed",
    "retried": "tried again",
    "quarantined": "still quarantined",
    "gone": "gone",
}
_ALWAYS = frozenset({"unchanged", "new", "changed", "gone"})
