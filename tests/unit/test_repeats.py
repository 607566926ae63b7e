"""When trouble that keeps coming is told again."""

from core.repeats import Repeats


class Ticks:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def test_what_keeps_coming_is_told_ever_more_rarely_with_how_often_it_came() -> None:
    ticks = Ticks()
    repeats = Repeats(ticks)
    said: dict[float, int] = {}
    for step in range(4 * 3600):
        ticks.now = step / 4
        times = repeats.due("settle", "job")
        if times is not None:
            said[ticks.now] = times
    assert list(said)[:6] == [0.0, 1.0, 3.0, 7.0, 15.0, 31.0]
    assert list(said.values())[:4] == [1, 4, 8, 16]
    assert len(said) == 15  # the last ones every ten minutes
    assert sum(said.values()) == 1 + 4 * list(said)[-1]


def test_troubles_are_told_apart() -> None:
    repeats = Repeats(Ticks())
    assert [repeats.due("settle", job) for job in "abab"] == [1, 1, None, None]


def test_what_stayed_away_is_news_again() -> None:
    ticks = Ticks()
    repeats = Repeats(ticks)
    for now in (0.0, 0.5, 60.5):
        ticks.now = now
        last = repeats.due("x")
    assert last == 2  # it may come once a minute
    ticks.now = 121.0
    assert repeats.due("x") == 1


def test_memory_is_bounded() -> None:
    repeats = Repeats(Ticks())
    for number in range(3000):
        assert repeats.due(str(number)) == 1
    assert repeats.due("0") == 1
    assert repeats.due("2999") is None
