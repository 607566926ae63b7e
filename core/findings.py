"""What a printed result row says was found, whatever its task."""

from collections.abc import Mapping, Sequence
from typing import Any


def detections_of(row: Mapping[str, Any]) -> Sequence[Mapping[str, Any]]:
    """The detections of a row, or the classes that its picture was given; each has a score."""
    return row["detections"] or row["classes"] or ()
