from collections import Counter

import pytest

from report.charts import bars, columns, round_step, top


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
    chart = columns([0, 3, 9], ["none", "three", "nine"], ["0", "1"])
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
    chart = columns([0, 0], ["", ""], ["0", "1"])
    assert [each.height for each in chart.columns] == [0, 0]
    assert [tick.label for tick in chart.y_ticks] == ["0", "1"]
