import pytest

from core.near import did_you_mean, question


@pytest.mark.parametrize(
    ("near", "asked"),
    [
        (["a"], "did you mean 'a'?"),
        (["a", "b"], "did you mean 'a' or 'b'?"),
        (["a", "b", "c"], "did you mean 'a', 'b' or 'c'?"),
    ],
)
def test_what_was_meant_is_asked_as_people_do(near: list[str], asked: str) -> None:
    assert question(near) == asked


def test_nothing_is_asked_if_nothing_is_near() -> None:
    assert did_you_mean("boats", ["boat", "gull"]) == "did you mean 'boat'?"
    assert did_you_mean("boats", ["gull"]) is None
