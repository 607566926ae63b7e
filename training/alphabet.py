"""The characters that the shipped text recognizer knows, and their numbers."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

CHARACTERS = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"
"""The characters in the order of their numbers, which begin at 1: 0 is CTC's blank."""

CLASSES = 1 + len(CHARACTERS)


def encoded(texts: Sequence[str]) -> tuple[NDArray[np.int32], NDArray[np.int64]]:
    """Return the numbers [N,longest] of texts, padded with 0, and their lengths [N].

    Raises:
        ValueError: a text has an unknown character.
    """
    lengths = np.array([len(text) for text in texts], np.int64)
    numbers = np.zeros((len(texts), max(lengths, default=0)), np.int32)
    for row, text in zip(numbers, texts, strict=True):
        row[: len(text)] = [1 + CHARACTERS.index(character) for character in text]
    return numbers, lengths
