"""Decodes a recognizer's probabilities as text (CTC, the likeliest class at each step)."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

BLANK = 0


@dataclass(frozen=True, slots=True)
class LineText:
    """A line's text; `score` is the mean probability of its characters, 0 if it has none."""

    text: str
    score: float


def decode_lines(
    probabilities: NDArray[np.floating[Any]], characters: Sequence[str]
) -> list[LineText]:
    """Return the texts of lines from their probabilities [B, T, classes].

    `characters` are the classes' characters; class 0 is the blank. Repeated classes count once and
    blanks not at all, as in PaddleOCR's `CTCLabelDecode`. A score is NaN if a probability is.
    """
    classes = probabilities.argmax(2)
    best = np.take_along_axis(probabilities, classes[:, :, None], 2)[:, :, 0].astype(np.float64)
    kept = classes != BLANK
    kept[:, 1:] &= classes[:, 1:] != classes[:, :-1]
    counts = kept.sum(1)
    scores = np.where(kept, best, 0).sum(1) / np.maximum(counts, 1)
    ends = np.cumsum(counts)
    letters = [characters[number] for number in classes[kept].tolist()]
    return [
        LineText("".join(letters[end - count : end]), score)
        for end, count, score in zip(ends.tolist(), counts.tolist(), scores.tolist(), strict=True)
    ]
