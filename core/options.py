"""The options of a job, frozen with its row."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields, replace
from typing import Any

from core import tasks
from core.codec import checked_keys, to_plain
from core.option import IS_LATER, Kind, option
from core.sample import Sample
from core.slicing import Slicing

GREEN = (120, 255, 155)
"""Matting's default background: few foregrounds have this colour."""


@dataclass(frozen=True, slots=True)
class RowOptions:
    """Options that change a job's rows.

    A `threshold` of None is the model's own. With `slicing`, detectors look at tiles as well.
    `polygons` adds the outlines of segments. `classes` are labels; None keeps all classes.
    """

    threshold: float | None = option(
        "threshold",
        None,
        "Keep detections or classes with a score above this.",
        kind=Kind.NUMBER,
        otherwise="the model's own",
        least=0,
        most=1,
        heeded_by=(tasks.DETECT, tasks.KEYPOINT, tasks.CLASSIFY, tasks.OCR),
    )
    slicing: Slicing | None = option(
        "slice",
        None,
        "Let detectors look at tiles of this size (640x640) as well: for small objects in large "
        "pictures.",
        kind=Kind.TILE,
        least=32,
        heeded_by=(tasks.DETECT, tasks.TOP_DOWN),
    )
    polygons: bool = option(
        "polygons",
        False,
        "Add the outlines of segments to the results.",
        kind=Kind.SWITCH,
        heeded_by=(tasks.SEGMENT,),
    )
    classes: tuple[str, ...] | None = option(
        "classes",
        None,
        "Keep only these classes, in rows and pictures (person,car).",
        metavar="LABEL,...",
        otherwise="all",
        is_repeated=True,
        heeded_by=tasks.WITH_CLASSES,
        is_later=True,
    )


_PICTURES = (tasks.DETECT, tasks.KEYPOINT, tasks.CLASSIFY, tasks.SEGMENT, tasks.PANOPTIC)


@dataclass(frozen=True, slots=True)
class DrawOptions:
    """Options that change a job's pictures.

    `jpeg_quality` is 1 to 100, for WebP as well. If `sample` is a number, only so many of the items
    that `annotate` is about are drawn. `alpha` is the opacity of a segment's colour. `background`
    (red, green, blue) is what matting draws pictures on, None for `GREEN`. `boxes` of None are
    drawn where they are all that there is to see. `line_width` is in pixels; None follows the
    picture's size, and `font_scale` multiplies what follows from it. `redact` are labels.
    """

    jpeg_quality: int = option(
        "jpeg-quality",
        None,
        "Quality of the annotated pictures, JPEG or WebP.",
        kind=Kind.WHOLE,
        otherwise="a setting",
        least=1,
        most=100,
        needs="annotate",
        is_required=True,
    )
    annotate: bool = option(
        "annotate",
        True,
        "Which items to draw pictures of; `sample:1000` are so many, evenly spread.",
        kind=Kind.ANNOTATE,
        metavar="all|none|sample:N",
    )
    sample: int | None = field(default=None, metadata={IS_LATER: True})
    alpha: float = option(
        "alpha",
        0.5,
        "Opacity of a segment's colour over the picture.",
        kind=Kind.NUMBER,
        least=0,
        most=1,
        heeded_by=(tasks.SEGMENT, tasks.PANOPTIC, tasks.MASKS),
        needs="annotate",
    )
    background: tuple[int, int, int] | None = option(
        "background",
        None,
        "Background of matting's pictures (white, '#78ff9b').",
        kind=Kind.COLOUR,
        otherwise="green",
        heeded_by=(tasks.MATTING,),
        needs="annotate",
    )
    only_found: bool = option(
        "only-found",
        False,
        "Draw only pictures in which something was found.",
        kind=Kind.SWITCH,
        heeded_by=(*_PICTURES, tasks.OCR),
        needs="annotate",
        is_later=True,
    )
    redact: tuple[str, ...] | None = option(
        "redact",
        None,
        "Blur what is found of these classes (face,plate), beyond recovery; not what is missed.",
        metavar="LABEL,...",
        otherwise="nothing",
        is_repeated=True,
        heeded_by=tasks.WITH_PLACES,
        needs="annotate",
        is_later=True,
    )
    labels: bool = option(
        "labels",
        True,
        "Write labels and legends.",
        kind=Kind.SWITCH,
        heeded_by=(tasks.DETECT, tasks.KEYPOINT, tasks.SEGMENT, tasks.PANOPTIC),
        needs="annotate",
        is_later=True,
    )
    scores: bool = option(
        "scores",
        True,
        "Write scores and shares into labels.",
        kind=Kind.SWITCH,
        heeded_by=_PICTURES,
        needs="annotate",
        is_later=True,
    )
    boxes: bool | None = option(
        "boxes",
        None,
        "Draw boxes.",
        kind=Kind.SWITCH,
        otherwise="except around poses",
        heeded_by=(tasks.DETECT, tasks.KEYPOINT),
        needs="annotate",
        is_later=True,
    )
    line_width: int | None = option(
        "line-width",
        None,
        "Width of lines in pixels.",
        kind=Kind.WHOLE,
        otherwise="by the picture's size",
        least=1,
        most=200,
        heeded_by=(tasks.DETECT, tasks.KEYPOINT, tasks.PANOPTIC, tasks.OCR),
        needs="annotate",
        is_later=True,
    )
    font_scale: float = option(
        "font-scale",
        1.0,
        "Size of labels and captions, as a multiple of the usual one.",
        kind=Kind.NUMBER,
        least=0.2,
        most=5,
        heeded_by=_PICTURES,
        needs="annotate",
        is_later=True,
    )
    picture_format: str = option(
        "picture-format",
        "jpg",
        "Format of the annotated pictures.",
        choices=("jpg", "png", "webp"),
        needs="annotate",
        is_later=True,
    )

    @property
    def annotated(self) -> bool | Sample:
        """Which items get pictures, as the option says it."""
        return self.annotate if self.sample is None else Sample(self.sample)

    def draws(self, index: int, listed: int) -> bool:
        """Return whether the item at this place (from 0) of `listed` items gets a picture."""
        if self.sample is None or not self.annotate:
            return self.annotate
        return Sample(self.sample).includes(index, listed)


def annotating(asked: bool | Sample) -> dict[str, Any]:
    """Return the values of the fields by which `DrawOptions` says which items get pictures."""
    return {"annotate": bool(asked), "sample": asked.size if isinstance(asked, Sample) else None}


@dataclass(frozen=True, slots=True)
class Limits:
    """Limits that protect workers from decompression bombs, and results from damaged pictures.

    With `lenient`, damaged pictures are no bad input if anything of them can be decoded.
    """

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
    lenient: bool = option(
        "lenient",
        False,
        "Process damaged pictures as far as they can be read, with a warning in their rows.",
        kind=Kind.SWITCH,
        is_later=True,
    )


@dataclass(frozen=True, slots=True)
class PlanOptions:
    """Options that change how a job runs, but not its rows; None is chosen by the planner."""

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
    max_quarantined: str | None = option(
        "max-quarantined",
        None,
        "Pause the job once more items than this are quarantined: a number (100), or a share (5%) "
        "of those that have ended, from 100 on. 100% never does.",
        kind=Kind.TOLERANCE,
        otherwise="5% once 1,000 items have ended",
        is_later=True,
    )


@dataclass(frozen=True, slots=True)
class JobOptions:
    """All options of a job, grouped by what they change."""

    drawing: DrawOptions
    limits: Limits
    rows: RowOptions = RowOptions()
    planning: PlanOptions = PlanOptions()

    def to_json(self) -> dict[str, Any]:
        """Return plain values for the job's row and its manifest, without the grouping."""
        return {
            name: asdict(value) if isinstance(value, Slicing) else value
            for group in (self.drawing, self.limits, self.rows, self.planning)
            for name, value in to_plain(group).items()
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> "JobOptions":
        """Read what `to_json` wrote.

        Raises:
            NewerError: a newer version wrote it.
        """
        values = checked_keys(data, "option", *GROUPS.values())
        parsed: dict[str, Any] = {
            name: tuple(value) for name, value in values.items() if isinstance(value, list)
        }
        if (slicing := values.get("slicing")) is not None:
            parsed["slicing"] = Slicing.from_json(slicing)
        return cls.of(**{**values, **parsed})

    @classmethod
    def of(cls, **values: Any) -> "JobOptions":
        """Return the options with these values, each in its group."""

        def group(kind: type[Any]) -> Any:
            return kind(**{f.name: values[f.name] for f in fields(kind) if f.name in values})

        return cls(**{name: group(kind) for name, kind in GROUPS.items()})

    def but(self, **values: Any) -> "JobOptions":
        """Return the same options with some values changed, whichever group they belong to."""
        groups = {f.name: getattr(self, f.name) for f in fields(self)}
        return JobOptions(
            **{
                name: replace(one, **{k: v for k, v in values.items() if hasattr(one, k)})
                for name, one in groups.items()
            }
        )

    def digests(self) -> dict[str, str]:
        """Return a digest of each group by name: equal if nothing in the group differs.

        Defaults don't count, so that an option added by a later version changes no digest until
        somebody uses it.
        """
        return {name: _digest(getattr(self, name)) for name in GROUPS}


GROUPS: Mapping[str, type[Any]] = {
    "rows": RowOptions,
    "drawing": DrawOptions,
    "limits": Limits,
    "planning": PlanOptions,
}
"""The groups of `JobOptions`, by field name."""


def _digest(group: Any) -> str:
    values = asdict(group)
    chosen = {f.name: values[f.name] for f in fields(group) if getattr(group, f.name) != f.default}
    return hashlib.sha256(json.dumps(chosen, sort_keys=True).encode()).hexdigest()


SEVERAL = "several"
"""The task of several models in one job."""


@dataclass(frozen=True, slots=True)
class ModelRef:
    """Which model a job runs. A worker loads it only if its digest is this one.

    A composed model has `parts`, exported models by role, and no files but theirs; `settings` holds
    whatever else it needs. The parts of `SEVERAL` are whole models by name, each with rows of its
    own.
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
        """Return the model that these parts make; its digest is made from theirs."""
        digests = {role: part.digest for role, part in parts.items()}
        content = json.dumps([task, digests, settings or {}], sort_keys=True)
        digest = hashlib.sha256(content.encode()).hexdigest()
        return cls(name, task, digest, "", parts, settings or {})

    @property
    def members(self) -> tuple["ModelRef", ...]:
        """The models, each of which gives an item a row."""
        return tuple(self.parts.values()) if self.task == SEVERAL else (self,)

    @property
    def exports(self) -> tuple["ModelRef", ...]:
        """The exported models that it consists of; itself if it is one."""
        return tuple(one for part in self.parts.values() for one in part.exports) or (self,)

    @property
    def queue(self) -> str:
        """The task whose workers run this model: that of its first member."""
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
            return data  # the form that versions without parts know
        parts = {role: part.to_json() for role, part in self.parts.items()}
        return data | {"parts": parts, "settings": dict(self.settings)}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> "ModelRef":
        """Read what `to_json` wrote.

        Raises:
            NewerError: a newer version wrote it.
        """
        values = checked_keys(data, "model key", cls)
        parts = {role: cls.from_json(part) for role, part in values.get("parts", {}).items()}
        return cls(**{**values, "parts": parts})
