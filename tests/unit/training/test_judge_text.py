import pytest

from training.judge import edits


@pytest.mark.parametrize(
    ("one", "other", "count"),
    [("", "", 0), ("", "AB", 2), ("AB", "", 2), ("ARGO", "ARGO", 0), ("ARGO", "ARCO", 1),
     ("ARGO", "AGO", 1), ("ARGO", "XARGOS", 2), ("AB", "BA", 2)],
)  # fmt: skip
def test_edits_are_counted(one: str, other: str, count: int) -> None:
    assert edits(one, other) == count
