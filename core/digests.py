"""What a job's results hang on, as digests: two jobs are compared without knowing any option."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any

from core.options import JobOptions, ModelRef


@dataclass(frozen=True, slots=True)
class Digests:
    """One of the model, and one of each group of options."""

    model: str
    rows: str
    drawing: str
    limits: str
    planning: str

    @classmethod
    def of(cls, model: ModelRef, options: JobOptions) -> "Digests":
        """Return those of a job with this model and these options."""
        return cls(model=model.digest, **options.digests())

    def changed(self, other: "Digests") -> tuple[str, ...]:
        """Return the names of those that are not the same."""
        return tuple(
            each.name
            for each in fields(self)
            if getattr(self, each.name) != getattr(other, each.name)
        )

    def changes_rows(self, other: "Digests") -> bool:
        """Whether the rows of an item may differ between two jobs.

        What limits quarantine has another row. Shards and batches change where rows lie and when
        they come, pictures nothing of them.
        """
        return not {"model", "rows", "limits"}.isdisjoint(self.changed(other))

    def to_json(self) -> dict[str, str]:
        """Return plain values for a manifest."""
        return asdict(self)

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> "Digests":
        """Read what `to_json` wrote; of groups that only a later version has, nothing is known."""
        return cls(**{each.name: str(data[each.name]) for each in fields(cls)})
