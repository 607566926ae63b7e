from datetime import date
from pathlib import Path
from typing import Any

import pytest

from core.errors import UsageError
from vision.exports.labels import checked_labels

PATH = Path("m/infer_cfg.yml")


@pytest.mark.parametrize(
    ("entry", "said"),
    [
        (7, "has 7, which is not a string, at position 1"),
        (0.5, "has 0.5, which"),
        (True, "has True, which"),
        (None, "has None, which"),
        pytest.param(16**5000, "has a huge number, which", id="huge"),
        (["a"] * 100_000, "has a list, which"),
        ({"a": 1}, "has a mapping, which"),
        (b"a", "has a binary value, which"),
        (date(2026, 1, 31), "has a date, which"),
        ("x" * 1001, "a label of 1,001 characters at position 1"),
    ],
)
def test_a_label_is_a_short_text(entry: Any, said: str) -> None:
    with pytest.raises(UsageError, match=said) as caught:
        checked_labels(["a", entry], "label_list", PATH)
    assert "label_list in m/infer_cfg.yml" in str(caught.value)
    assert caught.value.hint


def test_texts_stay_as_they_are() -> None:
    assert checked_labels(["a", "7", "", "é", "x" * 1000], "l", PATH)[1] == "7"
