"""The geometry of charts. The template draws them, so that labels pass through its escaping."""

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

WIDTH, HEIGHT = 420, 190
"""Of a column chart, in SVG units: on a phone a unit is a little less than a pixel."""

_LEFT, _RIGHT, _TOP, _BOTTOM = 46, 8, 10, 28
_TICKS = 4


@dataclass(frozen=True, slots=True)
class Bar:
    """One line of a bar chart; `share` is its length, 0 to 100."""

    label: str
    value: float
    share: float


@dataclass(frozen=True, slots=True)
class Column:
    """One column of a column chart, in SVG units; `title` says in words what it shows."""

    x: float
    y: float
    width: float
    height: float
    title: str


@dataclass(frozen=True, slots=True)
class Tick:
    """A mark on an axis, at `at` SVG units."""

    at: float
    label: str


@dataclass(frozen=True, slots=True)
class ColumnChart:
    """Columns over a common base line, with both axes."""

    columns: tuple[Column, ...]
    x_ticks: tuple[Tick, ...]
    y_ticks: tuple[Tick, ...]
    left: float = _LEFT
    right: float = WIDTH - _RIGHT
    base: float = HEIGHT - _BOTTOM
    width: int = WIDTH
    height: int = HEIGHT


def bars(values: Mapping[str, float]) -> list[Bar]:
    """Bars in the order given; the longest fills the width."""
    longest = max(values.values(), default=0) or 1
    return [Bar(label, value, round(100 * value / longest, 2)) for label, value in values.items()]


def top(counts: Counter[str], limit: int) -> dict[str, float]:
    """The most frequent first, and ties by name: the same order every time."""
    order = sorted(counts.items(), key=lambda entry: (-entry[1], entry[0]))
    return dict(order[:limit])


def columns(values: Sequence[float], titles: Sequence[str], x_labels: Sequence[str]) -> ColumnChart:
    """A column for each value; `x_labels` are spread evenly from the left end to the right."""
    step = round_step(max(values, default=0) / _TICKS)
    top_value = max(1, math.ceil(max(values, default=0) / step)) * step
    base, room = HEIGHT - _BOTTOM, HEIGHT - _BOTTOM - _TOP
    pitch = (WIDTH - _LEFT - _RIGHT) / max(1, len(values))
    drawn = []
    for place, (value, title) in enumerate(zip(values, titles, strict=True)):
        height = round(room * value / top_value, 2)
        x = round(_LEFT + place * pitch + pitch * 0.08, 2)
        drawn.append(Column(x, round(base - height, 2), round(pitch * 0.84, 2), height, title))
    y_values = [step * number for number in range(round(top_value / step) + 1)]
    y_ticks = [Tick(round(base - room * value / top_value, 2), f"{value:,g}") for value in y_values]
    gap = (WIDTH - _LEFT - _RIGHT) / max(1, len(x_labels) - 1)
    x_ticks = [Tick(round(_LEFT + i * gap, 2), label) for i, label in enumerate(x_labels)]
    return ColumnChart(tuple(drawn), tuple(x_ticks), tuple(y_ticks))


def round_step(least: float) -> float:
    """The smallest 1, 2 or 5 times a power of ten that is at least this; 1 for nothing."""
    if least <= 0:
        return 1.0
    power = 10.0 ** math.floor(math.log10(least))
    return next(m * power for m in (1, 2, 5, 10) if m * power >= least * (1 - 1e-9))
