"""What pictures need to know of a model and its rows don't say."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Self


@dataclass(frozen=True, slots=True)
class Legend:
    """The same for all pictures of a model.

    `background` is the class of a segmentation that covers nothing. Where classes have names, rows
    say it, too; of a graph without names only its answers tell.
    """

    background: int | None = None

    def to_json(self) -> dict[str, Any]:
        """Plain values for a job's manifest."""
        return asdict(self)

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Self:
        """What `to_json` wrote; of what another version wrote, the facts known here."""
        return cls(background=data.get("background"))


NO_LEGEND = Legend()
"""That of a model whose rows say all."""
