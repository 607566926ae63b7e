"""The page of an evaluation: its numbers, curves, confusions and worst pictures, in one file."""

import json
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from core.errors import BadInputError, FatalError, RetryableError, UsageError
from core.escape import storable
from core.keys import text_to_key
from core.wording import count
from evaluation.answers import Answers
from evaluation.evaluation import Confusion, Evaluation, Mark, Worst
from evaluation.metrics.segments import wrong_pixels
from report.charts import LineChart, line_chart
from report.html import asset, environment, policy
from report.marked import draw_marks, paint_errors
from report.pictures import TOTAL_BYTES, as_url, content_of, read_pixels
from store.locations import open_store, split_location
from store.tables import Job
from vision.palette import colour_of

PICTURES = 24
"""How many of the worst pictures are shown."""

_NAMED = 8  # marks named under a picture
_SHADES = 10
_LEAST_SHADE = 0.005


@dataclass(frozen=True, slots=True)
class _Card:
    """One of the worst pictures; without a `url` if it can't be read, or must not be shown."""

    item: str
    words: str
    marks: tuple[str, ...]
    url: str | None
    width: int
    height: int


@dataclass(frozen=True, slots=True)
class _Cell:
    """A count, and its share of the row in whole tenths, for the shade."""

    number: int
    shade: int
    is_right: bool


def write_evaluation(
    found: Evaluation, answers: Answers, job: Job, key: str, folder: str | None = None
) -> tuple[str, str]:
    """Write an evaluation's numbers and its page, and return the URLs of both.

    They lie under `key`, with the suffixes `.json` and `.html`, in the job's output; or under the
    last segment of it in `folder`.
    """
    store = open_store(folder or job.output)
    key = key.rpartition("/")[2] if folder else key
    numbers = json.dumps(found.to_json(), ensure_ascii=False, indent=2)
    store.put(f"{key}.json", storable(numbers).encode())
    store.put(f"{key}.html", render_evaluation(found, answers, job).encode())
    return store.url(f"{key}.json"), store.url(f"{key}.html")


def render_evaluation(found: Evaluation, answers: Answers, job: Job) -> str:
    """Return the page. The same evaluation of the same pictures gives the same bytes."""
    style = asset("report.css") + asset("evaluation.css")
    scores = found.scores
    shown = scores.worst[:PICTURES]
    cards = list(_cards(shown, answers, job))
    page: str = (
        environment()
        .get_template("evaluation.html.j2")
        .render(
            found=found,
            job=job,
            main=found.main,
            measures=scores.measures,
            tables=scores.tables,
            charts=[(chart, _drawn(chart.curves)) for chart in scores.charts],
            confusion=scores.confusion,
            cells=[] if scores.confusion is None else _cells(scores.confusion),
            cards=cards,
            has_marks=any(one.marks for one in shown),
            has_maps=any(one.maps for one in shown),
            unseen=sum(card.url is None for card in cards),
            protocol=scores.protocol or {},
            style=style,
            policy=policy(style, ""),
        )
    )
    return page


def _drawn(curves: Sequence[Any]) -> LineChart:
    colours = [_hex(number) for number in range(len(curves))]
    return line_chart([(one.name, one.points) for one in curves], colours)


def _hex(number: int) -> str:
    blue, green, red = colour_of(number)
    return f"#{red:02x}{green:02x}{blue:02x}"


def _cells(confusion: Confusion) -> list[tuple[str, list[_Cell]]]:
    """Return the rows of the table that are not empty; shares are of the true things of a class."""
    rows = []
    for name, numbers in zip(confusion.truth, confusion.counts, strict=True):
        total = sum(numbers)
        if not total:
            continue
        cells = []
        for column, number in enumerate(numbers):
            share = number / total
            shade = 0 if share < _LEAST_SHADE else max(1, round(share * _SHADES))
            cells.append(_Cell(number, shade, confusion.found[column] == name))
        rows.append((name, cells))
    return rows


def _cards(worst: Sequence[Worst], answers: Answers, job: Job) -> Iterator[_Card]:
    share = min(240_000, TOTAL_BYTES // max(1, len(worst)))
    is_reached = True
    for one in worst:
        image = None
        if is_reached:
            try:
                image = _image(one, answers, job)
            except (RetryableError, FatalError):  # each picture would take as long to fail
                is_reached = False
        url, width, height = (None, 0, 0) if image is None else as_url(image, share)
        yield _Card(one.item, one.words, tuple(_named(one.marks)), url, width, height)


def _named(marks: Sequence[Mark]) -> Iterator[str]:
    """Yield what is missed and what is wrong in words: colours alone don't tell everybody."""
    for kind in ("missed", "wrong"):
        words = Counter(mark.words for mark in marks if mark.kind == kind)
        if words:
            first = [f"{w} ({n})" if n > 1 else w for w, n in list(words.items())[:_NAMED]]
            more = f" and {count(len(words) - _NAMED, 'other')}" if len(words) > _NAMED else ""
            yield f"{kind}: {', '.join(first)}{more}"


def _image(one: Worst, answers: Answers, job: Job) -> NDArray[np.uint8] | None:
    """Return a picture with what is wrong in it drawn on it; None if it can't be had.

    Raises:
        RetryableError: its store can't be reached.
        FatalError: there is no such store.
    """
    rows = answers.rows
    annotated = rows["annotated"][one.row].as_py()
    try:
        if annotated is not None:
            base = read_pixels(content_of(annotated, open_store(rows["output"][one.row].as_py())))
        elif job.options.get("redact"):
            return None  # the source shows what must not be seen
        else:
            folder, key = split_location(text_to_key(rows["uri"][one.row].as_py()))
            base = read_pixels(open_store(folder).get(key))
        if one.maps is not None:
            return paint_errors(base, wrong_pixels(one.maps))
    except (BadInputError, UsageError):
        return None
    height = rows["height"][one.row].as_py()
    scale = base.shape[0] / height if height else 1.0  # beside a picture may stand what it says
    drawn_already = annotated is not None
    marks = [mark for mark in one.marks if not (drawn_already and mark.kind == "right")]
    return draw_marks(base, marks, scale)
