"""What the trainings of the shipped models have in common."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sample.shipped import Shipped
from training.fit import Plan
from training.measured import Measured


@dataclass(frozen=True, slots=True)
class Recipe:
    """How one shipped model is made.

    `train` takes how many scenes to draw and the plan; `batch` is how many of `shown` (what each
    step shows) it takes at once. `held_out` is how many scenes
    it is measured on, `judged` how; `about` are the rows of its card on what the model is.
    """

    shipped: Shipped
    scenes: int
    batch: int
    plan: Plan
    train: Callable[[int, Plan], Any]
    export: Callable[[Any, Path], None]
    measure: Callable[[Path, int, Path], Measured]
    held_out: int
    shown: str
    judged: str
    about: Mapping[str, str]
