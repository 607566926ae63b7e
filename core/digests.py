"""Digests of what determines a job's results, so that two jobs can be compared."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any

from core.options import JobOptions, ModelRef


@dataclass(frozen=True, slots=True)
class Digests:
    """One digest of the model, and one of each group of options."""

    model: str
    rows: str
    drawing: str
    limits: str
    planning: str

    @classmethod
    def of(cls, model: ModelRef, options: JobOptions) -> "Digests":
        """Return the digests of a job with this model and these options."""
        return cls(model=model.digest, **options.digests())

    def changed(self, other: "Digests") -> tuple[str, ...]:
        """Return the names of the digests that differ."""
        return tuple(
            each.name
            for each in fields(self)
            if getattr(self, each.name) != getattr(other, each.name)
        )

    def may_change_rows(self, other: "Digests") -> bool:
        """Return whether the rows of an item may differ between two jobs.

        Limits count, since they decide what is quarantined. Planning only changes where rows lie
        and when they come; drawing changes nothing about them.
        """
        return not {"model", "rows", "limits"}.isdisjoint(self.changed(other))

    def to_json(self) -> dict[str, str]:
        """Return plain values for a manifest."""
        return asdict(self)

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> "Digests":
        """Read what `to_json` wrote; groups that only a later version has are ignored."""
        return cls(**{each.name: str(data[each.name]) for each in fields(cls)})
