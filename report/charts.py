"""The geometry of charts. The template draws them, so that labels pass through its escaping."""

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

WIDTH, HEIGHT = 420, 190
"""Of a column chart, in SVG units: on a phone a unit is a little less than a pixel."""

_LEFT, _RIGHT, _TOP, _BOTTOM = 50, 24, 10, 28
_LINES_HEIGHT = 260
_TICKS = 4
_LEAST_SEGMENT = 1.0
_TIME_STEPS = tuple(
    number * unit
    for unit, numbers in (
        (1, (1, 2, 5, 10, 20)),
        (60, (0.5, 1, 2, 5, 10, 20)),
        (3600, (0.5, 1, 2, 4, 8)),
        (86400, (0.5, 1, 2, 5, 10, 20, 50, 100)),
    )
    for number in numbers
)


@dataclass(frozen=True, slots=True)
class Bar:
    """One line of a bar chart; `share` is its length, 0 to 100."""

    label: str
    value: float
    share: float


@dataclass(frozen=True, slots=True)
class Segment:
    """A part of a bar that is 100 long."""

    name: str
    start: float
    length: float


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
    """Columns over a common baseline, with both axes."""

    columns: tuple[Column, ...]
    x_ticks: tuple[Tick, ...]
    y_ticks: tuple[Tick, ...]
    left: float = _LEFT
    right: float = WIDTH - _RIGHT
    base: float = HEIGHT - _BOTTOM
    width: int = WIDTH
    height: int = HEIGHT


def bars(values: Mapping[str, float]) -> list[Bar]:
    """Return bars in the order given; the longest fills the width."""
    longest = max(values.values(), default=0) or 1
    return [Bar(label, value, round(100 * value / longest, 2)) for label, value in values.items()]


def top(counts: Counter[str], limit: int) -> dict[str, float]:
    """Return the most frequent first, and ties by name: the same order every time."""
    order = sorted(counts.items(), key=lambda entry: (-entry[1], entry[0]))
    return dict(order[:limit])


def segments(values: Mapping[str, float]) -> list[Segment]:
    """Return a bar of parts that add up to a whole, in the order given; the least stay visible."""
    there = {name: value for name, value in values.items() if value > 0}
    whole = sum(there.values())
    lengths = {name: max(_LEAST_SEGMENT, 100 * value / whole) for name, value in there.items()}
    drawn, start = [], 0.0
    for name, length in lengths.items():
        share = 100 * length / sum(lengths.values())
        drawn.append(Segment(name, round(start, 2), round(share, 2)))
        start += share
    return drawn


def columns(
    values: Sequence[float], titles: Sequence[str], x_marks: Sequence[tuple[float, str]]
) -> ColumnChart:
    """Return a column for each value; `x_marks` labels places from 0 (left) to 1 (right)."""
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
    y_ticks = [Tick(round(base - room * each / top_value, 2), short(each)) for each in y_values]
    wide = WIDTH - _LEFT - _RIGHT
    x_ticks = [Tick(round(_LEFT + place * wide, 2), label) for place, label in x_marks]
    return ColumnChart(tuple(drawn), tuple(x_ticks), tuple(y_ticks))


@dataclass(frozen=True, slots=True)
class Line:
    """One line of a line chart: `points` as SVG takes them; `title` says in words what it shows."""

    name: str
    points: str
    colour: str


@dataclass(frozen=True, slots=True)
class LineChart:
    """Lines over axes that both go from 0 to 1."""

    lines: tuple[Line, ...]
    ticks: tuple[tuple[Tick, Tick], ...]
    left: float = _LEFT
    right: float = WIDTH - _RIGHT
    top: float = _TOP
    base: float = _LINES_HEIGHT - _BOTTOM
    width: int = WIDTH
    height: int = _LINES_HEIGHT


def line_chart(
    curves: Sequence[tuple[str, Sequence[tuple[float, float]]]], colours: Sequence[str]
) -> LineChart:
    """Return a line for each named curve of points (x, y), which lie between 0 and 1."""
    wide, high = WIDTH - _LEFT - _RIGHT, _LINES_HEIGHT - _BOTTOM - _TOP

    def at(x: float, y: float) -> tuple[float, float]:
        return round(_LEFT + x * wide, 1), round(_LINES_HEIGHT - _BOTTOM - y * high, 1)

    drawn = [
        Line(name, " ".join(f"{x:g},{y:g}" for x, y in (at(*p) for p in points)), colour)
        for (name, points), colour in zip(curves, colours, strict=True)
    ]
    marks = [place / _TICKS for place in range(_TICKS + 1)]
    ticks = [(Tick(at(m, 0)[0], short(m)), Tick(at(0, m)[1], short(m))) for m in marks]
    return LineChart(tuple(drawn), tuple(ticks))


def round_step(least: float) -> float:
    """Return the least 1, 2 or 5 times a power of ten that is not below this; 1 for nothing."""
    if least <= 0:
        return 1.0
    power = 10.0 ** math.floor(math.log10(least))
    return next(m * power for m in (1, 2, 5, 10) if m * power >= least * (1 - 1e-9))


def time_marks(seconds: float) -> list[tuple[float, str]]:
    """Return a handful of round times from 0 to at most `seconds`, as `columns` takes them."""
    if seconds < _TICKS:
        return [(0, "0 s"), (1, f"{seconds:.3g} s")]
    step = next((step for step in _TIME_STEPS if seconds / step <= _TICKS + 1), _TIME_STEPS[-1])
    unit, name = next(
        (unit, name)
        for unit, name in ((86400, "d"), (3600, "h"), (60, "min"), (1, "s"))
        if step >= unit or unit == 1
    )
    count = int(seconds / step)
    return [(n * step / seconds, f"{n * step / unit:g} {name}") for n in range(count + 1)]


def short(value: float) -> str:
    """Return a number short enough for an axis: `0.5`, `800`, `20k`, `1.5M`."""
    for unit, name in ((1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "k")):
        if value >= (unit if unit > 1e3 else 1e4):  # noqa: PLR2004 - 2,000 is as short as 2k
            return f"{value / unit:g}{name}"
    return f"{value:,g}"
