"""What models do: the one table of tasks, with their words, parts, files and traits.

Whatever else a task needs (networks, recipes, drawing) registers under its name where it lives.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

DETECT = "detect"
KEYPOINT = "keypoint"
CLASSIFY = "classify"
SEGMENT = "segment"
MATTING = "matting"
PANOPTIC = "panoptic"
OCR = "ocr"

WITH_CLASSES = (DETECT, CLASSIFY, SEGMENT, PANOPTIC)
"""Tasks whose rows tell things of several classes apart."""

WITH_PLACES = (DETECT, KEYPOINT, SEGMENT, PANOPTIC, OCR)
"""Tasks whose rows say where something of a class is."""

TEXT_DET = "text_det"
TEXT_REC = "text_rec"
"""The tasks of networks that are only ever parts of models."""

DETECTOR = "detector"
ORIENTATION = "orientation"
"""Roles in a composed model whose name is not the task of their network."""

LEAST_LINE_SCORE = 0.5
"""`drop_score` of PaddleOCR's own pipeline, which keeps lines with exactly that score."""


@dataclass(frozen=True, slots=True)
class Role:
    """A part of a composed model: its name there, and the task of its export."""

    name: str
    task: str
    is_optional: bool = False


@dataclass(frozen=True, slots=True)
class Task:
    """What a model can be for.

    `noun` is the word for one thing that such a model finds in a picture. `parts` are those of a
    composed model for the task; none if no model for it can be composed. `has_masks` says whether
    each picture gets a mask file, `has_cutouts` whether it gets a cut-out made with the mask.
    `has_shares` says that the scores of a picture's classes are their shares of its pixels, and
    `has_texts` that what was found is what it says: its label means nothing.
    """

    name: str
    noun: str = "detection"
    parts: tuple[Role, ...] = ()
    has_masks: bool = False
    has_cutouts: bool = False
    has_shares: bool = False
    has_texts: bool = False

    @property
    def has_things(self) -> bool:
        """Whether its models find anything that can be counted."""
        return not self.has_cutouts

    @property
    def queue(self) -> str:
        """The queue of the shards that run its models."""
        return self.name


_ALL = (
    Task(DETECT),
    Task(KEYPOINT, "pose", (Role(DETECTOR, DETECT), Role(KEYPOINT, KEYPOINT))),
    Task(CLASSIFY, "label"),
    Task(SEGMENT, "segment", has_masks=True, has_shares=True),
    Task(MATTING, has_masks=True, has_cutouts=True),
    Task(PANOPTIC, "segment", has_masks=True, has_shares=True),
    Task(
        OCR,
        "line",
        (
            Role(TEXT_DET, TEXT_DET),
            Role(TEXT_REC, TEXT_REC),
            Role(ORIENTATION, CLASSIFY, is_optional=True),
        ),
        has_texts=True,
    ),
)

TASK: Mapping[str, Task] = {task.name: task for task in _ALL}
"""All tasks, by name."""

TASKS = tuple(TASK)
"""The names of all tasks."""

ROLES: Mapping[str, tuple[Role, ...]] = {task.name: task.parts for task in _ALL if task.parts}
"""The parts of the models for a task, if a model for it can be composed."""


def task_of(name: str) -> Task:
    """Return the task of this name; one that only newer versions know finds detections."""
    return TASK.get(name) or Task(name)


MASKS = "masks"
TOP_DOWN = "top_down"
UNPAIRED = "unpaired"

TRAITS = {
    **dict(zip(TASKS, TASKS, strict=True)),
    MASKS: f"{DETECT} with masks",
    TOP_DOWN: f"{KEYPOINT}, top-down",
    UNPAIRED: f"{KEYPOINT}, top-down and without a detector of its own",
}
"""The traits of models, and what messages call models that have them. Each task is a trait, too."""


def detections_of(row: Mapping[str, Any]) -> Sequence[Mapping[str, Any]]:
    """Return a row's detections, or the classes that its picture was given; each has a score."""
    return row["detections"] or row["classes"] or ()
