"""A class that a whole picture has."""

import math
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class ClassScore:
    """One class that a whole image was given, or its share of the pixels.

    Raises:
        ValueError: The score is not a finite number.
    """

    label: str
    class_id: int
    score: float

    def __post_init__(self) -> None:
        """Check the score."""
        if not math.isfinite(self.score):
            raise ValueError(f"the score of {self.label} is {self.score}")
