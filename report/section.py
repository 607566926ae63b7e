"""What a page says of one model: its words, bars and histogram, each of one kind of number."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

from core.wording import count
from report.charts import Bar, ColumnChart, bars, columns, short, top
from report.findings import SCORE_BINS, Findings
from vision.palette import colour_of

_LABELS_SHOWN = 24


@dataclass(frozen=True, slots=True)
class Section:
    """One model's findings. `notes` stand beside the bars, by label; `total` counts `unit`s."""

    model: str
    noun: str
    total: int
    unit: str
    title: str
    bars: tuple[Bar, ...]
    bars_unit: str
    notes: Mapping[str, str]
    unshown: int
    histogram: ColumnChart
    histogram_title: str
    histogram_words: str
    items: int
    items_with: int
    words: int
    has_shares: bool
    has_texts: bool


def section(findings: Findings) -> Section:
    """Return what the page says of a model that finds things."""
    task, noun = findings.task, findings.task.noun
    counted = findings.items_with if task.has_shares else findings.things
    shown = Counter[str]() if task.has_texts else counted
    best = top(shown, _LABELS_SHOWN)
    measure = "share of the picture" if task.has_shares else "score"
    return Section(
        model=findings.model,
        noun=noun,
        total=len(findings.things) if task.has_shares else findings.things.total(),
        unit="classes" if task.has_shares else f"{noun}s",
        title="Items per class" if task.has_shares else f"{noun.capitalize()}s per class",
        bars=tuple(bars(best)),
        bars_unit="items" if task.has_shares else f"{noun}s in items",
        notes={label: _note(findings, label) for label in best},
        unshown=len(shown) - len(best),
        histogram=_histogram(findings),
        histogram_title="Shares of the picture" if task.has_shares else "Scores",
        histogram_words=f"{noun.capitalize()}s by {measure}, from 0 to 1",
        items=findings.items,
        items_with=findings.items - findings.items_without_any,
        words=findings.words,
        has_shares=task.has_shares,
        has_texts=task.has_texts,
    )


def colours(findings: Findings) -> dict[str, str]:
    """Return the colours of a model's classes, as its pictures have them."""
    return {label: _hex(number) for label, number in findings.class_ids.items()}


def _note(findings: Findings, label: str) -> str:
    if findings.task.has_shares:
        return f"{findings.mean(label):.1%} of them"
    return f"in {findings.items_with[label]:,}"


def _histogram(findings: Findings) -> ColumnChart:
    noun = findings.task.noun
    titles = [
        f"{place / SCORE_BINS:.2f} to {(place + 1) / SCORE_BINS:.2f}: {count(number, noun)}"
        for place, number in enumerate(findings.scores)
    ]
    return columns(findings.scores, titles, [(place / 4, short(place / 4)) for place in range(5)])


def _hex(class_id: int) -> str:
    blue, green, red = colour_of(class_id)
    return f"#{red:02x}{green:02x}{blue:02x}"
