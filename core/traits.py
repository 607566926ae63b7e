"""What models are or have that options may be about."""

from core.tasks import DETECT, KEYPOINT, TASKS

MASKS = "masks"
TOP_DOWN = "top_down"
UNPAIRED = "unpaired"

TRAITS = {
    **dict(zip(TASKS, TASKS, strict=True)),
    MASKS: f"{DETECT} with masks",
    TOP_DOWN: f"{KEYPOINT}, top-down",
    UNPAIRED: f"{KEYPOINT}, top-down and without a detector of its own",
}
"""The traits and how messages call models that have them. Each task is one, of the same name."""
