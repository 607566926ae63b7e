from collections import Counter

import pytest

from report.charts import bars, columns, round_step, segments, short, time_marks, top


def test_bars_are_as_long_as_their_values() -> None:
    assert [bar.share for bar in bars({"a": 8, "b": 2, "c": 0})] == [100, 25, 0]
    assert bars({}) == []
    assert bars({"a": 0})[0].share == 0


def test_the_most_frequent_come_first_and_ties_by_name() -> None:
    assert list(top(Counter({"b": 2, "a": 2, "c": 5, "d": 1}), 3)) == ["c", "a", "b"]


@pytest.mark.parametrize(
    ("least", "step"),
    [(0, 1), (0.7, 1), (1, 1), (1.1, 2), (3, 5), (6, 10), (25, 50), (0.013, 0.02), (200, 200)],
)
def test_steps_are_round(least: float, step: float) -> None:
    assert round_step(least) == pytest.approx(step)


def test_columns_stand_on_the_base_and_stay_inside() -> None:
    chart = columns([0, 3, 9], ["none", "three", "nine"], [(0, "0"), (1, "1")])
    none, three, nine = chart.columns
    assert none.height == 0
    assert nine.height == pytest.approx(3 * three.height, abs=0.1)
    assert all(each.y + each.height == pytest.approx(chart.base) for each in chart.columns)
    assert all(
        chart.left <= each.x and each.x + each.width <= chart.right for each in chart.columns
    )
    assert min(each.y for each in chart.columns) >= 0
    assert three.title == "three"
    assert [tick.at for tick in chart.x_ticks] == [chart.left, chart.right]
    labels = [float(tick.label) for tick in chart.y_ticks]
    assert labels[0] == 0
    assert labels[-1] >= 9


def test_a_chart_of_nothing_has_axes() -> None:
    chart = columns([0, 0], ["", ""], [(0, "0"), (1, "1")])
    assert [each.height for each in chart.columns] == [0, 0]
    assert [tick.label for tick in chart.y_ticks] == ["0", "1"]


def test_segments_fill_the_bar_and_the_least_can_be_seen() -> None:
    good, bad = segments({"good": 999_999, "none": 0, "bad": 1})
    assert (good.name, good.start, bad.name) == ("good", 0, "bad")
    assert bad.length > 0.9
    assert bad.start == good.length
    assert good.length + bad.length == pytest.approx(100, abs=0.02)
    assert segments({"good": 0}) == []


@pytest.mark.parametrize(
    ("seconds", "labels"),
    [
        (0.4, ["0 s", "0.4 s"]),
        (24.3, ["0 s", "5 s", "10 s", "15 s", "20 s"]),
        (300, ["0 min", "1 min", "2 min", "3 min", "4 min", "5 min"]),
        (7_200, ["0 min", "30 min", "60 min", "90 min", "120 min"]),
        (100_000, ["0 h", "8 h", "16 h", "24 h"]),
        (86_400 * 1000, ["0 d", "100 d", "200 d"]),
    ],
)
def test_times_on_an_axis_are_round(seconds: float, labels: list[str]) -> None:
    marks = time_marks(seconds)
    assert [label for _, label in marks][: len(labels)] == labels
    places = [place for place, _ in marks]
    assert places[0] == 0
    assert places == sorted(set(places))
    assert places[-1] <= 1


@pytest.mark.parametrize(
    ("value", "text"),
    [(0, "0"), (0.25, "0.25"), (2000, "2,000"), (20_000, "20k"), (1_500_000, "1.5M")],
)
def test_numbers_beside_an_axis_are_short(value: float, text: str) -> None:
    assert short(value) == text
