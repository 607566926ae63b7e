import numpy as np
import pytest
from numpy.typing import NDArray

from vision.outputs.ctc import LineText, decode_lines

CHARACTERS = ("", "a", "b", " ")


def steps(*classes: tuple[int, float]) -> NDArray[np.float32]:
    """Probabilities [1, T, 4] in which the given class is the likeliest at each step."""
    rows = np.zeros((1, len(classes), len(CHARACTERS)), np.float32)
    for row, (number, probability) in zip(rows[0], classes, strict=True):
        row[:] = (1 - probability) / 3
        row[number] = probability
    return rows


def test_no_lines() -> None:
    assert decode_lines(np.zeros((0, 5, 4), np.float32), CHARACTERS) == []


def test_a_line_of_blanks_says_nothing() -> None:
    assert decode_lines(steps((0, 0.9), (0, 0.8)), CHARACTERS) == [LineText("", 0.0)]


def test_repeats_count_once_unless_a_blank_parts_them() -> None:
    line = steps((1, 0.9), (1, 0.5), (0, 0.99), (1, 0.7), (2, 0.8), (2, 0.6), (3, 0.4), (1, 1.0))
    [found] = decode_lines(line, CHARACTERS)
    assert found.text == "aab a"
    # The first of each run, and no blank.
    assert found.score == pytest.approx((0.9 + 0.7 + 0.8 + 0.4 + 1.0) / 5)


def test_lines_of_a_batch_do_not_meet() -> None:
    batch = np.concatenate(
        [steps((1, 0.9), (2, 0.9)), steps((0, 0.9), (0, 0.9)), steps((2, 0.6), (2, 0.5))]
    )
    found = decode_lines(batch, CHARACTERS)
    assert [one.text for one in found] == ["ab", "", "b"]
    assert [one.score for one in found] == pytest.approx([0.9, 0.0, 0.6])


def test_a_label_may_be_more_than_one_character() -> None:
    [found] = decode_lines(steps((1, 0.9), (2, 0.9)), ("", "ffi", "e\u0301", " "))
    assert found.text == "ffie\u0301"


def test_nan_is_not_hidden() -> None:
    line = steps((1, 0.9), (2, 0.9))
    line[0, 0, 2] = np.nan
    [found] = decode_lines(line, CHARACTERS)
    assert np.isnan(found.score)
