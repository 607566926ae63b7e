"""Measures of lines of text: where they are, and what they say.

Source: ICDAR 2015, task 4.1 and 4.4 (https://rrc.cvc.uab.es/?ch=4&com=tasks): lines are paired one
to one if their outlines' intersection over union is above a half; what lies in a line that nobody
can read (`###`) doesn't count.
"""

import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyclipper
from numpy.typing import NDArray
from rapidfuzz.distance import Levenshtein

from evaluation.case import Case, Protocol, item_of
from evaluation.evaluation import Cell, Mark, Measure, Scores, Table, Worst, worst_first

UNREADABLE = frozenset({"###", "*"})
_LEAST_OVERLAP = 0.5
_SCALE = 64  # pyclipper counts in whole numbers
_SIZES = ((1, 4), (5, 8), (9, 16), (17, 10**9))


@dataclass(slots=True)
class _Counts:
    """Sums over pictures; `right` are pairs whose texts are equal."""

    true: int = 0
    found: int = 0
    pairs: int = 0
    right: int = 0
    letters: int = 0
    words: int = 0
    letter_errors: int = 0
    word_errors: int = 0
    paired_letters: int = 0
    paired_errors: int = 0


def measure(case: Case, protocol: Protocol, *, has_places: bool) -> Scores:
    """Return hmean of finding and of reading, and character and word error rates.

    Error rates divide all edits (with the lines that were missed or invented) by the letters or
    words of the truth; pictures without text add edits only. Without places in the truth, the text
    of each picture is compared as a whole, its lines in order.
    """
    least = min(protocol.ious) if protocol.ious else _LEAST_OVERLAP
    keep = case.found.scores >= (protocol.score or 0.0)
    found = case.found.take(keep)
    true_of, found_of = _by_row(case.truth.image), _by_row(found.image)
    total = _Counts()
    by_length: dict[tuple[int, int], list[int]] = {size: [0, 0, 0] for size in _SIZES}
    wrong, right = (np.zeros(len(case.answers.items)) for _ in range(2))
    marks: dict[int, list[Mark]] = {}
    for row in case.rows.tolist():
        true = [_Line(case.truth, place) for place in true_of.get(row, ())]
        said = [_Line(found, place) for place in found_of.get(row, ())]
        before = total.letter_errors
        if has_places:
            marks[row] = _compare_lines(true, said, least, total, by_length)
        else:
            _compare_texts(true, said, total)
        wrong[row] = total.letter_errors - before
        right[row] = sum(len(line.text) for line in true)
    return Scores(
        tuple(_measures(total, has_places=has_places)),
        (_per_length(by_length),) if has_places else (),
        worst=tuple(
            Worst(
                item_of(case, row),
                row,
                f"{wrong[row]:.0f} edits, {right[row]:.0f} letters in the truth",
                tuple(marks.get(row, ())),
            )
            for row in worst_first(wrong.tolist(), right.tolist())
        ),
        protocol={
            "pairs": f"outlines with IoU above {least:.2f}, one to one, the best first"
            if has_places
            else "the whole text of each picture",
            "texts": "Unicode NFC; case and punctuation count",
            "error rates": "all edits by the letters (or words) of the truth; missed and invented "
            "lines are edits",
        },
    )


class _Line:
    """A line of text with its outline; `counts` is False for what nobody can read."""

    def __init__(self, things: Any, place: int) -> None:
        self.text = unicodedata.normalize("NFC", things.texts[place]).strip()
        self.outline = None if things.outlines is None else things.outlines[place]
        self.counts = not (things.crowd[place] or self.text in UNREADABLE)
        self.path = None if self.outline is None else _path(self.outline)
        self.area = 0.0 if self.path is None else _area([self.path])


def _by_row(images: NDArray[np.int64]) -> dict[int, list[int]]:
    places: dict[int, list[int]] = {}
    for place, row in enumerate(images.tolist()):
        places.setdefault(row, []).append(place)
    return places


def _path(outline: NDArray[np.float64]) -> list[tuple[int, int]]:
    return [(round(x * _SCALE), round(y * _SCALE)) for x, y in outline.tolist()]


def _area(paths: Sequence[Any]) -> float:
    """Return the area of paths in square pixels; overlaps of a path with itself count once."""
    return float(sum(abs(pyclipper.Area(path)) for path in paths)) / _SCALE**2


def _shared(first: _Line, second: _Line) -> float:
    """Return the area that two outlines share."""
    clipper = pyclipper.Pyclipper()
    try:
        clipper.AddPath(first.path, pyclipper.PT_SUBJECT, True)
        clipper.AddPath(second.path, pyclipper.PT_CLIP, True)
    except pyclipper.ClipperException:  # an outline without an area
        return 0.0
    both = pyclipper.PFT_NONZERO
    return _area(clipper.Execute(pyclipper.CT_INTERSECTION, both, both))


def _compare_lines(
    true: Sequence[_Line],
    said: Sequence[_Line],
    least: float,
    total: _Counts,
    by_length: dict[tuple[int, int], list[int]],
) -> list[Mark]:
    shared = np.array([[_shared(t, s) for s in said] for t in true]).reshape(len(true), len(said))
    lying = np.zeros(len(said), np.bool_)  # in lines that nobody can read
    for number, line in enumerate(true):
        if not line.counts:
            areas = np.array([max(s.area, 1e-9) for s in said])
            lying |= shared[number] / areas > _LEAST_OVERLAP
    pairs = _pairs(true, said, shared, least, lying)
    mate = dict(pairs)
    said_mate = {b: a for a, b in pairs}
    marks = []
    for number, line in enumerate(true):
        if not line.counts:
            continue
        total.true += 1
        other = said[mate[number]].text if number in mate else None
        is_right = other == line.text
        total.right += is_right
        total.pairs += other is not None
        _add_edits(line.text, other or "", total)
        if other is not None:
            total.paired_letters += len(line.text)
            total.paired_errors += Levenshtein.distance(line.text, other)
        size = next(size for size in _SIZES if size[0] <= len(line.text) <= size[1])
        for place, value in enumerate((1, other is not None, is_right)):
            by_length[size][place] += value
        marks.append(_mark("hit" if is_right else "missed", line))
    for number, line in enumerate(said):
        if lying[number] and number not in said_mate:
            continue
        total.found += 1
        if number not in said_mate:
            _add_edits("", line.text, total)
        is_right = number in said_mate and true[said_mate[number]].text == line.text
        marks.append(_mark("right" if is_right else "wrong", line))
    return marks


def _mark(kind: str, line: _Line) -> Mark:
    corners = [] if line.outline is None else line.outline.tolist()
    return Mark(kind, line.text, tuple((float(x), float(y)) for x, y in corners))


def _pairs(
    true: Sequence[_Line],
    said: Sequence[_Line],
    shared: NDArray[np.float64],
    least: float,
    lying: NDArray[np.bool_],
) -> list[tuple[int, int]]:
    """Return pairs of lines, one to one, the best overlap first."""
    candidates = []
    for a, b in zip(*np.nonzero(shared), strict=True):
        union = true[a].area + said[b].area - shared[a, b]
        iou = shared[a, b] / union if union > 0 else 0.0
        if iou > least and true[a].counts and not lying[b]:
            candidates.append((-iou, int(a), int(b)))
    pairs: list[tuple[int, int]] = []
    for _, a, b in sorted(candidates):
        if all(a != one and b != other for one, other in pairs):
            pairs.append((a, b))
    return pairs


def _compare_texts(true: Sequence[_Line], said: Sequence[_Line], total: _Counts) -> None:
    texts = [" ".join(line.text for line in side if line.counts) for side in (true, said)]
    total.true += 1
    total.right += texts[0] == texts[1]
    _add_edits(texts[0], texts[1], total)


def _add_edits(true: str, said: str, total: _Counts) -> None:
    total.letters += len(true)
    total.words += len(true.split())
    total.letter_errors += Levenshtein.distance(true, said)
    total.word_errors += Levenshtein.distance(true.split(), said.split())


def _measures(total: _Counts, *, has_places: bool) -> list[Measure]:
    rates = [
        Measure(
            "CER",
            total.letter_errors / total.letters if total.letters else None,
            "character error rate, 0 is best; above 1 if more was invented than is there",
        ),
        Measure("WER", total.word_errors / total.words if total.words else None, "word error rate"),
    ]
    if not has_places:
        share = total.right / total.true if total.true else None
        return [Measure("accuracy", share, "pictures whose whole text is right"), *rates]
    reading = _hmean("reading", total.right, total, "lines found and read without a fault")
    finding = _hmean("finding", total.pairs, total, "lines found, whatever was read")
    paired = total.paired_errors / total.paired_letters if total.paired_letters else None
    return [
        *reading,
        *finding,
        *rates,
        Measure("CER_of_found", paired, "character error rate of lines that were found"),
    ]


def _hmean(name: str, hits: int, total: _Counts, words: str) -> list[Measure]:
    values = (
        2 * hits / (total.true + total.found) if total.true + total.found else None,
        hits / total.found if total.found else None,
        hits / total.true if total.true else None,
    )
    names = (f"{name}_hmean", f"{name}_precision", f"{name}_recall")
    return [Measure(n, value, words) for n, value in zip(names, values, strict=True)]


def _per_length(by_length: dict[tuple[int, int], list[int]]) -> Table:
    rows: list[tuple[Cell, ...]] = []
    for (low, high), (true, found, right) in by_length.items():
        words = f"{low} to {high}" if high < _SIZES[-1][1] else f"{low} or more"
        shares = (found / true, right / true) if true else (None, None)
        rows.append((words, true, *shares))
    return Table("Lengths", ("letters", "truth", "found", "read"), tuple(rows))
