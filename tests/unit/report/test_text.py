import pytest

from report.text import moment, number, visible


def test_what_cannot_be_seen_is_spelled_out() -> None:
    assert visible("a\nb\x00\u202ec \ud800") == "a\\nb\\x00\\u202ec \\ud800"
    assert visible("日本 é") == "日本 é"


def test_long_names_lose_their_middle() -> None:
    text = visible("a" * 500 + "b" * 500, 101)
    assert text == "a" * 50 + "…" + "b" * 50


@pytest.mark.parametrize(
    ("value", "text"), [(12345, "12,345"), (5.731, "5.73"), (0.0184, "0.0184"), (123.44, "123.4")]
)
def test_numbers(value: float, text: str) -> None:
    assert number(value) == text


def test_times() -> None:
    assert moment("2026-11-24T09:06:30.782Z") == "2026-11-24 09:06:30Z"
    assert moment(None) == "\N{EN DASH}"
