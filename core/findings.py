"""What a printed result row says was found, whatever its task."""

from collections.abc import Mapping, Sequence
from typing import Any

_NOUNS = {
    "detect": "detection",
    "keypoint": "pose",
    "classify": "label",
    "segment": "segment",
    "panoptic": "segment",
    "ocr": "line",
}


def noun_of(task: str) -> str:
    """What one find of a task is called."""
    return _NOUNS.get(task, "find")


def finds_of(row: Mapping[str, Any]) -> Sequence[Mapping[str, Any]]:
    """The detections of a row, or the classes that its picture was given; each has a score."""
    return row["detections"] or row["classes"] or ()
