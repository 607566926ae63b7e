"""The transforms of a panoptic model's `deploy.yaml`.

Source: PaddleSeg, `contrib/PanopticSeg`: those of segmentation, and at the end one that only says
which values of a sample go into a batch.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from vision.ops.detection import Op
from vision.ops.segmentation import parse_transforms

COLLECTING = "Collect"
"""What the transforms of every panoptic model end with, and no others'."""


def parse_panoptic(entries: Sequence[Any]) -> tuple[Op, ...]:
    """The operators that a list of mappings (`type` and arguments) names, in its order.

    Raises:
        UsageError: A transform or an argument is unknown or makes no sense.
    """
    return parse_transforms(
        [
            entry
            for entry in entries
            if not isinstance(entry, Mapping) or entry.get("type") != COLLECTING
        ]
    )
