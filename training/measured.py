"""How good a model turned out to be."""

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Measured:
    """Scores, 0 to 1, on so many held-out scenes; the first of them is that of `sample.shipped`.

    `classes` breaks one of them down, that which `of_class` names.
    """

    scenes: int
    scores: Mapping[str, float]
    of_class: str = ""
    classes: Mapping[str, float] | None = None

    @property
    def score(self) -> float:
        """The first one."""
        return next(iter(self.scores.values()))
