"""What a person chose for a job, frozen with its row."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields, replace
from typing import Any

from core.slicing import Slicing


@dataclass(frozen=True, slots=True)
class RowOptions:
    """What changes a job's rows.

    `threshold` of None is the model's own. With `slicing`, detectors look at tiles. `polygons`
    asks for the outlines of segments.
    """

    threshold: float | None = None
    slicing: Slicing | None = None
    polygons: bool = False


@dataclass(frozen=True, slots=True)
class DrawOptions:
    """What changes a job's pictures.

    `jpeg_quality` is 1 to 100. `alpha` is how much of a segment's colour covers a picture.
    `background` (red, green, blue) is what matting draws pictures on.
    """

    jpeg_quality: int
    annotate: bool = True
    alpha: float = 0.5
    background: tuple[int, int, int] | None = None


@dataclass(frozen=True, slots=True)
class Limits:
    """What protects workers from decompression bombs."""

    max_pixels: int
    max_item_bytes: int


@dataclass(frozen=True, slots=True)
class PlanOptions:
    """What changes a job's shards and batches; None is chosen by the planner."""

    shard_items: int | None = None
    batch_size: int | None = None


@dataclass(frozen=True, slots=True)
class JobOptions:
    """What a person chose for a job, by what it changes."""

    drawing: DrawOptions
    limits: Limits
    rows: RowOptions = RowOptions()
    planning: PlanOptions = PlanOptions()

    def to_json(self) -> dict[str, Any]:
        """Return plain values for the job's row and its manifest, without the groups."""
        return {name: value for group in asdict(self).values() for name, value in group.items()}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> "JobOptions":
        """Read what `to_json` wrote."""
        slicing, background = data.get("slicing"), data.get("background")
        parsed = {
            "slicing": None if slicing is None else Slicing(**slicing),
            "background": None if background is None else tuple(background),
        }
        return cls.of(**{**data, **parsed})

    @classmethod
    def of(cls, **values: Any) -> "JobOptions":
        """Return the options with these values, whichever group each belongs to."""

        def group(kind: type[Any]) -> Any:
            return kind(**{f.name: values[f.name] for f in fields(kind) if f.name in values})

        return cls(group(DrawOptions), group(Limits), group(RowOptions), group(PlanOptions))

    def but(self, **values: Any) -> "JobOptions":
        """Return the same options with other values for some, whichever group each belongs to."""
        groups = {f.name: getattr(self, f.name) for f in fields(self)}
        return JobOptions(
            **{
                name: replace(one, **{k: v for k, v in values.items() if hasattr(one, k)})
                for name, one in groups.items()
            }
        )


SEVERAL = "several"
"""The task of models that run beside each other."""


@dataclass(frozen=True, slots=True)
class ModelRef:
    """Which model a job runs. A worker loads it only if the digest is this one.

    A composed model has `parts`, exported models by their roles, and no files but theirs;
    `settings` says what else it needs to know. The parts of `SEVERAL` are whole models by their
    names, each of which has rows of its own.
    """

    name: str
    task: str
    digest: str
    location: str
    parts: Mapping[str, "ModelRef"] = field(default_factory=dict)
    settings: Mapping[str, Any] = field(default_factory=dict)

    @classmethod
    def composed(
        cls,
        name: str,
        task: str,
        parts: Mapping[str, "ModelRef"],
        settings: Mapping[str, Any] | None = None,
    ) -> "ModelRef":
        """Return the model that these parts make; its digest is made of theirs."""
        digests = {role: part.digest for role, part in parts.items()}
        content = json.dumps([task, digests, settings or {}], sort_keys=True)
        digest = hashlib.sha256(content.encode()).hexdigest()
        return cls(name, task, digest, "", parts, settings or {})

    @property
    def members(self) -> tuple["ModelRef", ...]:
        """The models that each give an item a row."""
        return tuple(self.parts.values()) if self.task == SEVERAL else (self,)

    @property
    def exports(self) -> tuple["ModelRef", ...]:
        """The exported models that it consists of, itself if it is one."""
        return tuple(one for part in self.parts.values() for one in part.exports) or (self,)

    @property
    def queue(self) -> str:
        """The task whose workers run this: that of the first member."""
        return self.members[0].task

    def to_json(self) -> dict[str, Any]:
        """Return plain values for the job's row and its manifest."""
        data = {
            "name": self.name,
            "task": self.task,
            "digest": self.digest,
            "location": self.location,
        }
        if not self.parts:
            return data  # as versions without parts know it
        parts = {role: part.to_json() for role, part in self.parts.items()}
        return data | {"parts": parts, "settings": dict(self.settings)}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> "ModelRef":
        """Read what `to_json` wrote."""
        parts = {role: cls.from_json(part) for role, part in data.get("parts", {}).items()}
        return cls(**{**data, "parts": parts})
