import pytest

from core.tolerance import ANY, USUAL, Tolerance


@pytest.mark.parametrize(
    ("text", "ended", "quarantined", "exceeded"),
    [
        ("100", 100, 100, False),
        ("100", 101, 101, True),
        ("0", 1, 1, True),
        ("5%", 99, 99, False),
        ("5%", 100, 5, False),
        ("5%", 100, 6, True),
        ("0.5 %", 1000, 6, True),
        (ANY, 10_000, 10_000, False),
    ],
)
def test_what_is_too_much(text: str, ended: int, quarantined: int, exceeded: bool) -> None:
    assert Tolerance.parse(text).is_exceeded(ended=ended, quarantined=quarantined) is exceeded


def test_the_usual_tolerance_is_for_large_jobs() -> None:
    assert not USUAL.is_exceeded(ended=999, quarantined=999)
    assert USUAL.is_exceeded(ended=1000, quarantined=51)


@pytest.mark.parametrize("text", ["", "many", "-1", "1.5", "101%", "5 percent", "1e3"])
def test_what_is_no_tolerance(text: str) -> None:
    with pytest.raises(ValueError, match="write 100 or 5%"):
        Tolerance.parse(text)
