"""Of which parts a composed model is made."""

from collections.abc import Mapping
from dataclasses import dataclass

DETECTOR = "detector"
KEYPOINT = "keypoint"
TEXT_DET = "text_det"
TEXT_REC = "text_rec"
ORIENTATION = "orientation"


@dataclass(frozen=True, slots=True)
class Role:
    """A part of a composed model: what it is called there, and the task of its export."""

    name: str
    task: str
    is_optional: bool = False


ROLES: Mapping[str, tuple[Role, ...]] = {
    "keypoint": (Role(DETECTOR, "detect"), Role(KEYPOINT, "keypoint")),
    "ocr": (
        Role(TEXT_DET, "text_det"),
        Role(TEXT_REC, "text_rec"),
        Role(ORIENTATION, "classify", is_optional=True),
    ),
}
"""The parts of the models for a task, if a model for it can be composed."""
