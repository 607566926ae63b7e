"""What a person chose for a job, frozen with its row."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields, replace
from typing import Any

from core import tasks
from core.codec import known, written
from core.option import Kind, option
from core.slicing import Slicing

GREEN = (120, 255, 155)
"""What matting draws pictures on if nobody says otherwise: few foregrounds have it."""


@dataclass(frozen=True, slots=True)
class RowOptions:
    """What changes a job's rows.

    `threshold` of None is the model's own. With `slicing`, detectors look at tiles. `polygons`
    asks for the outlines of segments.
    """

    threshold: float | None = option(
        "threshold",
        None,
        "Only detections or classes with a score above this.",
        kind=Kind.NUMBER,
        otherwise="the model's own",
        least=0,
        most=1,
        heeded_by=(tasks.DETECT, tasks.KEYPOINT, tasks.CLASSIFY, tasks.OCR),
    )
    slicing: Slicing | None = option(
        "slice",
        None,
        "Have detectors look at tiles so large (640x640), too: for small objects in large "
        "pictures.",
        kind=Kind.TILE,
        least=32,
        heeded_by=(tasks.DETECT, tasks.TOP_DOWN),
    )
    polygons: bool = option(
        "polygons",
        False,
        "Give the outlines of segments in the results, too.",
        kind=Kind.SWITCH,
        heeded_by=(tasks.SEGMENT,),
    )


@dataclass(frozen=True, slots=True)
class DrawOptions:
    """What changes a job's pictures.

    `jpeg_quality` is 1 to 100. `alpha` is how much of a segment's colour covers a picture.
    `background` (red, green, blue) is what matting draws pictures on, None for `GREEN`.
    """

    jpeg_quality: int = option(
        "jpeg-quality",
        None,
        "The quality of pictures.",
        kind=Kind.WHOLE,
        otherwise="a setting",
        least=1,
        most=100,
        needs="annotate",
        is_required=True,
    )
    annotate: bool = option("annotate", True, "Draw pictures.", kind=Kind.SWITCH)
    alpha: float = option(
        "alpha",
        0.5,
        "How much of a segment's colour covers the picture.",
        kind=Kind.NUMBER,
        least=0,
        most=1,
        heeded_by=(tasks.SEGMENT, tasks.PANOPTIC, tasks.MASKS),
        needs="annotate",
    )
    background: tuple[int, int, int] | None = option(
        "background",
        None,
        "What matting draws its pictures on (white, '#78ff9b').",
        kind=Kind.COLOUR,
        otherwise="green",
        heeded_by=(tasks.MATTING,),
        needs="annotate",
    )


@dataclass(frozen=True, slots=True)
class Limits:
    """What protects workers from decompression bombs."""

    max_pixels: int = option(
        "max-pixels",
        None,
        "Quarantine pictures with more pixels.",
        kind=Kind.WHOLE,
        otherwise="a setting",
        least=1,
        is_required=True,
    )
    max_item_bytes: int = option(
        "max-item-bytes",
        None,
        "Quarantine larger files (100MB).",
        kind=Kind.SIZE,
        otherwise="a setting",
        least=1,
        is_required=True,
    )


@dataclass(frozen=True, slots=True)
class PlanOptions:
    """What changes a job's shards and batches; None is chosen by the planner."""

    shard_items: int | None = option(
        "shard-items", None, "Items per shard.", kind=Kind.WHOLE, otherwise="by rate", least=1
    )
    batch_size: int | None = option(
        "batch-size",
        None,
        "Images per inference.",
        kind=Kind.WHOLE,
        otherwise="by model",
        least=1,
        most=1024,
    )


@dataclass(frozen=True, slots=True)
class JobOptions:
    """What a person chose for a job, by what it changes."""

    drawing: DrawOptions
    limits: Limits
    rows: RowOptions = RowOptions()
    planning: PlanOptions = PlanOptions()

    def to_json(self) -> dict[str, Any]:
        """Return plain values for the job's row and its manifest, without the groups."""
        return {
            name: asdict(value) if isinstance(value, Slicing) else value
            for group in (self.drawing, self.limits, self.rows, self.planning)
            for name, value in written(group).items()
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> "JobOptions":
        """Read what `to_json` wrote.

        Raises:
            NewerError: a newer version wrote it.
        """
        values = known(data, "option", *GROUPS.values())
        slicing, background = values.get("slicing"), values.get("background")
        parsed = {
            "slicing": None if slicing is None else Slicing.from_json(slicing),
            "background": None if background is None else tuple(background),
        }
        return cls.of(**{**values, **parsed})

    @classmethod
    def of(cls, **values: Any) -> "JobOptions":
        """Return the options with these values, whichever group each belongs to."""

        def group(kind: type[Any]) -> Any:
            return kind(**{f.name: values[f.name] for f in fields(kind) if f.name in values})

        return cls(**{name: group(kind) for name, kind in GROUPS.items()})

    def but(self, **values: Any) -> "JobOptions":
        """Return the same options with other values for some, whichever group each belongs to."""
        groups = {f.name: getattr(self, f.name) for f in fields(self)}
        return JobOptions(
            **{
                name: replace(one, **{k: v for k, v in values.items() if hasattr(one, k)})
                for name, one in groups.items()
            }
        )

    def digests(self) -> dict[str, str]:
        """Return a digest of each group, by its name: equal where nothing in it was changed.

        Only what is not the default counts, so that an option that a later version adds changes
        no digest until somebody uses it.
        """
        return {name: _digest(getattr(self, name)) for name in GROUPS}


GROUPS: Mapping[str, type[Any]] = {
    "rows": RowOptions,
    "drawing": DrawOptions,
    "limits": Limits,
    "planning": PlanOptions,
}
"""The groups of `JobOptions`, by their names there."""


def _digest(group: Any) -> str:
    values = asdict(group)
    chosen = {f.name: values[f.name] for f in fields(group) if getattr(group, f.name) != f.default}
    return hashlib.sha256(json.dumps(chosen, sort_keys=True).encode()).hexdigest()


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
        """Read what `to_json` wrote.

        Raises:
            NewerError: a newer version wrote it.
        """
        values = known(data, "model key", cls)
        parts = {role: cls.from_json(part) for role, part in values.get("parts", {}).items()}
        return cls(**{**values, "parts": parts})
