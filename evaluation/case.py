"""What one measuring is about: answers and truth that have been brought together."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from evaluation.answers import Answers
from evaluation.things import Things


@dataclass(frozen=True, slots=True, eq=False)
class Case:
    """Pictures whose answers are compared with their truth.

    `rows` int64 (N,) are their places in `answers.rows`. `truth.image` and `found.image` count
    those places, and both `label`s count `labels`. `masks` are the true label maps, by place.
    """

    answers: Answers
    rows: NDArray[np.int64]
    labels: tuple[str, ...]
    truth: Things
    found: Things
    masks: dict[int, tuple[str, str]]


@dataclass(frozen=True, slots=True)
class Protocol:
    """How to measure: `ious` are COCO's usual ten unless said; `score` None means the best."""

    ious: tuple[float, ...] | None = None
    score: float | None = None
    sigmas: tuple[float, ...] | None = None
    ignored: int = 255


def item_of(case: Case, row: int) -> str:
    """Return the name of a picture as rows print it."""
    return str(case.answers.rows["item"][row].as_py())


def sizes(case: Case) -> Sequence[tuple[int, int]]:
    """Return the width and height of each picture of the results."""
    return [(int(w), int(h)) for w, h in case.answers.sizes]
