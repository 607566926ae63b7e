"""What the trainings of the shipped models have in common."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from training.fit import Plan
from training.measured import Measured


@dataclass(frozen=True, slots=True)
class Recipe:
    """How one shipped model is made.

    `train` takes how many scenes to draw and the plan; `batch` is how many of `shown` (what each
    step shows) it takes at once. `about` are the rows of the card on what the model is, `promise`
    its sentence, `judged` how it was measured, `least` what its first score has to be.
    """

    directory: Path
    scenes: int
    batch: int
    plan: Plan
    train: Callable[[int, Plan], Any]
    export: Callable[[Any, Path], None]
    measure: Callable[[Path, int, Path], Measured]
    held_out: int
    least: float
    shown: str
    promise: str
    judged: str
    about: tuple[tuple[str, str], ...]
