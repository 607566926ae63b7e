"""Measures of the classes that whole pictures were given."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from evaluation.case import Case, Protocol, item_of
from evaluation.evaluation import (
    WORST,
    Cell,
    Confusion,
    Measure,
    Scores,
    Table,
    Worst,
)

_TOP = 5
_CONFUSED_MOST = 60
_LEAST_SCORE = 0.5  # of several labels a picture, those that count as given


def measure(case: Case, protocol: Protocol, places: Mapping[str, int]) -> Scores:
    """Return top-1, top-5 and F1. `places` are the true classes by the labels of the results.

    F1 goes by each picture's best class; if pictures have several true labels, by all those that
    score enough. The mean is over classes that occur in the truth.
    """
    true = _true_labels(case)
    said = {row: _said(case.answers.rows["classes"][row].as_py(), places) for row in true}
    several = any(len(labels) > 1 for labels in true.values())
    least = protocol.score if protocol.score is not None else _LEAST_SCORE
    given = {
        row: {place for place, score in one if score >= least}
        if several
        else {place for place, _ in one[:1]}
        for row, one in said.items()
    }
    firsts = [bool(one) and one[0][0] in true[row] for row, one in said.items()]
    fives = [any(place in true[row] for place, _ in one[:_TOP]) for row, one in said.items()]
    table, f1s = _per_class(case, true, given)
    there = [value for value in f1s if value is not None]
    rule = f"all classes that score {least:.2f} or more" if several else "each picture's best class"
    measures = (
        Measure("top1", _share(firsts), "pictures whose best class is true"),
        Measure("top5", _share(fives), "pictures with a true class among the best five"),
        Measure("macro_F1", sum(there) / len(there) if there else None, "mean F1 of the classes"),
    )
    return Scores(
        measures,
        (table,),
        confusion=None if several else _confusion(case, true, given),
        worst=_worst(case, true, said),
        protocol={"measures": "top-1, top-5, F1", "precision, recall, F1": rule},
        notes=_notes(case, max(map(len, said.values()), default=0)),
    )


def _notes(case: Case, most: int) -> tuple[str, ...]:
    if not 0 < most < _TOP < len(case.labels):
        return ()
    return (f"results name at most {most} of the classes a picture, so top5 is top{most}",)


def _share(hits: Sequence[bool]) -> float | None:
    return sum(hits) / len(hits) if hits else None


def _true_labels(case: Case) -> dict[int, set[int]]:
    true: dict[int, set[int]] = {}
    for row, label in zip(case.truth.image.tolist(), case.truth.label.tolist(), strict=True):
        true.setdefault(row, set()).add(label)
    return true


def _said(
    classes: Sequence[Mapping[str, Any]] | None, places: Mapping[str, int]
) -> list[tuple[int, float]]:
    """Return the classes of a picture, best first; -1 for those that the truth does not have."""
    return [(places.get(one["label"], -1), one["score"]) for one in classes or ()]


def _per_class(
    case: Case, true: Mapping[int, set[int]], given: Mapping[int, set[int]]
) -> tuple[Table, list[float | None]]:
    rows: list[tuple[Cell, ...]] = []
    f1s: list[float | None] = []
    for label, name in enumerate(case.labels):
        there = {row for row, labels in true.items() if label in labels}
        said = {row for row, labels in given.items() if label in labels}
        hits = len(there & said)
        f1 = 2 * hits / (len(there) + len(said)) if there else None
        f1s.append(f1)
        rows.append(
            (
                *(name, len(there), len(said)),
                hits / len(said) if said else None,
                hits / len(there) if there else None,
                f1,
            )
        )
    rows.sort(key=lambda row: (-int(row[1] or 0), str(row[0])))
    columns = ("class", "truth", "found", "precision", "recall", "F1")
    return Table("Classes", columns, tuple(rows)), f1s


def _confusion(
    case: Case, true: Mapping[int, set[int]], given: Mapping[int, set[int]]
) -> Confusion | None:
    count = len(case.labels)
    if count > _CONFUSED_MOST:
        return None
    counts: NDArray[np.int64] = np.zeros((count, count + 1), np.int64)
    for row, labels in true.items():
        for label in labels:
            counts[label, next(iter(given[row]), -1)] += 1
    table = tuple(tuple(int(n) for n in row) for row in counts)
    title = "Classes taken for others"
    return Confusion(title, case.labels, (*case.labels, "another, or none"), table)


def _worst(
    case: Case, true: Mapping[int, set[int]], said: Mapping[int, list[tuple[int, float]]]
) -> tuple[Worst, ...]:
    """Return the pictures that are wrong, the surest first."""

    def name(place: int) -> str:
        return case.labels[place] if place >= 0 else "a class the truth lacks"

    wrong = [row for row, one in said.items() if not one or one[0][0] not in true[row]]
    wrong.sort(key=lambda row: (-(said[row][0][1] if said[row] else 2), row))
    listed = []
    for row in wrong[:WORST]:
        one = said[row]
        what = f"{name(one[0][0])} {one[0][1]:.2f}" if one else "no result"
        truth = ", ".join(name(label) for label in sorted(true[row]))
        listed.append(Worst(item_of(case, row), row, f"{what}; it is {truth}"))
    return tuple(listed)
