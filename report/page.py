"""The page: one HTML file that holds its style, its script, its charts and its pictures."""

import base64
import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any
from urllib.parse import quote

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from core.options import ModelRef
from core.stages import busy_seconds
from core.states import ENDED_JOBS, JobState
from core.tasks import noun_of
from core.times import iso
from report.charts import bars, columns, segments, short, time_marks, top
from report.pictures import Embedded
from report.provenance import provenance
from report.statistics import (
    BINS,
    QUARANTINED_SHOWN,
    SCORE_BINS,
    Statistics,
    Throughput,
    throughput,
)
from report.text import duration, moment, number, plural, visible
from store.jobs import Tally
from store.tables import Job, Shard
from vision.palette import colour_of


def outcome(state: JobState, counts: Tally) -> str:
    """Say what a person wants to know first: how many items of how many succeeded."""
    if not counts.listed:
        return "No items were listed." if state in ENDED_JOBS else "No items are listed yet."
    items = plural(counts.listed, "item")
    if state not in ENDED_JOBS:
        done = counts.listed - counts.pending
        return f"{done:,} of {items} so far {'is' if done == 1 else 'are'} done."
    good = counts.succeeded + counts.skipped
    if good == counts.listed:
        return f"{'The only item' if good == 1 else f'All {items}'} succeeded{_skipped(counts)}."
    rest = [
        f"{count:,} {'is' if count == 1 else 'are'} {name}"
        for name, count in (("quarantined", counts.quarantined), ("cancelled", counts.cancelled))
        if count
    ]
    return f"{good:,} of {items} succeeded{_skipped(counts)}; {', '.join(rest)}."


def _skipped(counts: Tally) -> str:
    return f" ({counts.skipped:,} skipped)" if counts.skipped else ""


_TEMPLATES = Path(__file__).parent / "templates"
_LABELS_SHOWN = 24
_REASONS_SHOWN = 20
_COUNTS = ("listed", "succeeded", "skipped", "quarantined", "cancelled", "pending")

PictureUrl = Callable[[str], str]


@dataclass(frozen=True, slots=True)
class Content:
    """Everything that a page shows. `now` is the time of a look at a job that still goes on."""

    job: Job
    counts: Tally
    shards: Sequence[Shard]
    statistics: Statistics
    pictures: Sequence[Embedded]
    now: float


def relative_url(key: str) -> str:
    """The URL of an object for a page that lies at the top of the same output."""
    return quote(key)


def render(content: Content, picture_url: PictureUrl) -> str:
    """The page. The same content gives the same bytes; `now` shows only while a job goes on.

    `picture_url` says where the annotated picture of a key can be seen in full.
    """
    job, statistics = content.job, content.statistics
    style, script = _asset("report.css"), _asset("report.js")
    labels = sorted({label for shown in content.pictures for label in shown.picture.best})
    ref = ModelRef.from_json(job.model)
    noun = noun_of(ref.task)
    counts = {name: getattr(content.counts, name) for name in _COUNTS}
    speed = throughput(content.shards)
    return (
        _environment()
        .get_template("report.html.j2")
        .render(
            job=job,
            state=job.state.value,
            is_planning=job.state is JobState.PLANNING,
            as_of=None if job.state in ENDED_JOBS else iso(content.now),
            took=_took(job),
            outcome=outcome(job.state, content.counts),
            counts=counts,
            parts=segments({name: count for name, count in counts.items() if name != "listed"}),
            passed_over=sorted(job.passed_over.items()),
            statistics=statistics,
            classes=bars(top(statistics.detections, _LABELS_SHOWN)),
            scores=_score_chart(statistics, noun),
            noun=noun,
            several=len(ref.members) > 1,
            colours={label: _hex(number) for label, number in statistics.class_ids.items()},
            speed=speed,
            speed_chart=_speed_chart(speed),
            stages=bars(busy_seconds(shard.timings for shard in content.shards)),
            labels=labels,
            cards=_cards(content.pictures, labels, picture_url),
            reasons=bars(top(statistics.reasons, _REASONS_SHOWN)),
            unshown=statistics.reasons.total() - min(statistics.reasons.total(), QUARANTINED_SHOWN),
            provenance=provenance(job),
            style=style,
            script=script,
            policy=_policy(style, script),
        )
    )


def _environment() -> Environment:
    environment = Environment(
        loader=FileSystemLoader(_TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {
        "visible": visible,
        "number": number,
        "moment": moment,
        "duration": duration,
        "plural": plural,
    }
    return environment


def _asset(name: str) -> Markup:
    return Markup((_TEMPLATES / name).read_text(encoding="utf-8"))  # noqa: S704 - our own file


def _policy(style: str, script: str) -> str:
    """A content security policy: nothing from outside, no script or style but the page's own."""
    digests = [
        base64.b64encode(sha256(text.encode()).digest()).decode() for text in (style, script)
    ]
    return (
        "default-src 'none'; base-uri 'none'; form-action 'none'; img-src data:; "
        f"style-src 'sha256-{digests[0]}'; script-src 'sha256-{digests[1]}'"
    )


def _took(job: Job) -> float | None:
    if job.started_at is None or job.finished_at is None:
        return None
    return job.finished_at - job.started_at


def _score_chart(statistics: Statistics, noun: str) -> Any:
    titles = [
        f"{place / SCORE_BINS:.2f} to {(place + 1) / SCORE_BINS:.2f}: {plural(count, noun)}"
        for place, count in enumerate(statistics.scores)
    ]
    return columns(statistics.scores, titles, [(place / 4, short(place / 4)) for place in range(5)])


def _speed_chart(speed: Throughput | None) -> Any:
    if speed is None:
        return None
    width = speed.seconds / BINS
    titles = [
        f"after {duration(place * width)}: {number(rate)} items a second"
        for place, rate in enumerate(speed.rates)
    ]
    return columns(speed.rates, titles, time_marks(speed.seconds))


def _hex(class_id: int) -> str:
    blue, green, red = colour_of(class_id)
    return f"#{red:02x}{green:02x}{blue:02x}"


def _cards(
    pictures: Iterable[Embedded], labels: Sequence[str], picture_url: PictureUrl
) -> list[dict[str, Any]]:
    """What the gallery shows; labels go to the script as their places among `labels`."""
    place = {label: number for number, label in enumerate(labels)}
    return [
        {
            "item": shown.picture.item,
            "model": shown.picture.model,
            "image": shown,
            "href": picture_url(shown.picture.annotated),
            "found": shown.picture.best,
            "detections": shown.picture.detections,
            "best": json.dumps(
                {place[label]: round(score, 3) for label, score in shown.picture.best.items()}
            ),
        }
        for shown in pictures
    ]
