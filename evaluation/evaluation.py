"""What an evaluation says: numbers, tables, curves, and the worst pictures."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

VERSION = 1
"""Adding fields keeps the version; any other change needs a new one."""

Cell = str | int | float | None


@dataclass(frozen=True, slots=True)
class Measure:
    """A number between 0 and 1, None if there is nothing to measure; `words` say what it is."""

    name: str
    value: float | None
    words: str


@dataclass(frozen=True, slots=True)
class Table:
    """Numbers of classes or sizes."""

    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...]


@dataclass(frozen=True, slots=True)
class Curve:
    """Points (x, y), both between 0 and 1, in ascending order of x."""

    name: str
    points: tuple[tuple[float, float], ...]


@dataclass(frozen=True, slots=True)
class Chart:
    """Curves with common axes."""

    title: str
    x: str
    y: str
    curves: tuple[Curve, ...]


@dataclass(frozen=True, slots=True)
class Confusion:
    """How often a thing of the class of a row was taken for the class of a column."""

    title: str
    truth: tuple[str, ...]
    found: tuple[str, ...]
    counts: tuple[tuple[int, ...], ...]


@dataclass(frozen=True, slots=True)
class Mark:
    """Something to draw on a picture: `kind` is `hit`, `missed` (true things), `right` or `wrong`.

    `outline` are corners in pixels of the source picture.
    """

    kind: str
    words: str
    outline: tuple[tuple[float, float], ...]


@dataclass(frozen=True, slots=True)
class MapPair:
    """The stores and keys of a picture's two label maps, and how they are compared.

    True pixels of the value `ignored` do not count; `values` are the truth's numbers by those of
    the results, where they differ.
    """

    true: tuple[str, str]
    found: tuple[str, str]
    ignored: int
    values: Mapping[int, int]


@dataclass(frozen=True, slots=True)
class Worst:
    """A picture that shows what goes wrong, and the marks or label maps that say so.

    `row` is its place in the results.
    """

    item: str
    row: int
    words: str
    marks: tuple[Mark, ...] = ()
    maps: MapPair | None = None


@dataclass(frozen=True, slots=True)
class Scores:
    """What the measuring of one task gives; the first measure is the main one."""

    measures: tuple[Measure, ...]
    tables: tuple[Table, ...]
    charts: tuple[Chart, ...] = ()
    confusion: Confusion | None = None
    worst: tuple[Worst, ...] = ()
    protocol: Mapping[str, str] | None = None
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Coverage:
    """Pictures of the truth, how many of them were matched and how, and items without truth."""

    in_truth: int
    matched: int
    by_base_name: int
    without_result: int
    unknown: int
    without_truth: int


@dataclass(frozen=True, slots=True)
class Evaluation:
    """A job's results of one model, measured against a truth."""

    job: str
    name: str
    model: str
    task: str
    truth: str
    form: str
    coverage: Coverage
    scores: Scores
    notes: tuple[str, ...]

    @property
    def main(self) -> Measure:
        """The number that `--fail-under` compares."""
        return self.scores.measures[0]

    def to_json(self) -> dict[str, Any]:
        """Return plain values; marks of pictures stay out, since results and truth say the same."""
        scores = self.scores
        return {
            "regatta.evaluation": VERSION,
            "job": self.job,
            "name": self.name,
            "model": self.model,
            "task": self.task,
            "truth": {"location": self.truth, "format": self.form},
            "protocol": dict(scores.protocol or {}),
            "coverage": asdict(self.coverage),
            "measures": {one.name: one.value for one in scores.measures},
            "tables": [
                {
                    "title": one.title,
                    "rows": [dict(zip(one.columns, row, strict=True)) for row in one.rows],
                }
                for one in scores.tables
            ],
            "charts": [asdict(one) for one in scores.charts],
            "confusion": None if scores.confusion is None else asdict(scores.confusion),
            "worst": [{"item": one.item, "what": one.words} for one in scores.worst],
            "notes": list(self.notes),
        }


WORST = 100
"""How many pictures are named."""


def worst_first(errors: Sequence[float], hits: Sequence[float]) -> list[int]:
    """Return the places of pictures with errors: the most errors first, then the fewest hits."""
    wrong = [place for place, number in enumerate(errors) if number > 0]
    wrong.sort(key=lambda place: (-errors[place], hits[place], place))
    return wrong[:WORST]
