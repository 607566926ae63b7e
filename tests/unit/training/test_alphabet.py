import pytest

from sample.lettering import NAMES
from training.alphabet import CHARACTERS, CLASSES, encoded


def test_every_name_can_be_written() -> None:
    assert set("".join(NAMES)) <= set(CHARACTERS)
    assert len(set(CHARACTERS)) == len(CHARACTERS) == CLASSES - 1


def test_no_text_has_no_numbers() -> None:
    numbers, lengths = encoded([])
    assert numbers.shape == (0, 0)
    assert lengths.shape == (0,)


def test_numbers_begin_after_the_blank_and_rows_are_filled_up_with_it() -> None:
    numbers, lengths = encoded(["0A", "Z10"])
    assert numbers.tolist() == [[1, 11, 0], [36, 2, 1]]
    assert lengths.tolist() == [2, 3]


def test_other_characters_are_refused() -> None:
    with pytest.raises(ValueError, match="substring"):
        encoded(["a"])
