"""The page: one HTML file with its style, script, charts and pictures inside."""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, unquote

from core.comparison import Comparison
from core.options import ModelRef
from core.passed_over import in_words
from core.plan_warnings import PlanWarnings
from core.stages import busy_seconds
from core.states import ENDED_JOBS, JobState
from core.times import iso
from core.wording import count, duration, speed
from report.charts import bars, columns, segments, time_marks, top
from report.html import asset, environment, policy
from report.pictures import Embedded, is_place, place_url
from report.provenance import provenance
from report.section import Section, colours, section
from report.snapshot import settled, took
from report.statistics import Picture, Statistics
from report.text import number
from report.throughput import BINS, Throughput, throughput
from store.jobs import Tally
from store.tables import Job, Shard


def outcome(state: JobState, counts: Tally, *, listing_ended: bool = True, carried: int = 0) -> str:
    """Say what people want to know first: how many items of how many succeeded."""
    if carried and not counts.listed and listing_ended:
        return f"Nothing was new: {count(carried, 'result')} carried over from earlier jobs."
    if not counts.listed:
        return "No items were listed." if state in ENDED_JOBS else "No items are listed yet."
    items = count(counts.listed, "item")
    if state not in ENDED_JOBS:
        done = settled(counts)
        return f"{done:,} of {items} so far {'is' if done == 1 else 'are'} done."
    good = counts.succeeded + counts.skipped
    more = "" if listing_ended else " The source was not listed to its end."
    if good == counts.listed:
        all_ = "The only item" if good == 1 else f"All {items}"
        return f"{all_} succeeded{_skipped(counts)}.{more}"
    rest = [
        f"{number:,} {'is' if number == 1 else 'are'} {name}"
        for name, number in (("quarantined", counts.quarantined), ("cancelled", counts.cancelled))
        if number
    ]
    return f"{good:,} of {items} succeeded{_skipped(counts)}; {', '.join(rest)}.{more}"


def _skipped(counts: Tally) -> str:
    return f" ({counts.skipped:,} skipped)" if counts.skipped else ""


_REASONS_SHOWN = 20
_COUNTS = ("listed", "succeeded", "skipped", "quarantined", "cancelled", "pending")

PictureUrl = Callable[[str], str]


@dataclass(frozen=True, slots=True)
class Content:
    """Everything that a page shows. `now` is the time of a look at a job that is still going.

    `speed` is in items a second (`report.snapshot.speeds`); `unread` pictures should be among
    `pictures` but could not be read. `dismissed` of the quarantined items were dismissed.
    """

    job: Job
    counts: Tally
    shards: Sequence[Shard]
    statistics: Statistics
    pictures: Sequence[Embedded]
    now: float
    speed: float | None = None
    unread: int = 0
    dismissed: int = 0


def relative_url(key: str) -> str:
    """Return the URL of an object, for a page at the top of the same output.

    What lies in another job's output has an absolute path, or a bucket's URL.
    """
    return place_url(key) if is_place(key) else quote(key)


def render(content: Content, picture_url: PictureUrl) -> str:
    """Return the page. The same content gives the same bytes; `now` is only shown during a job.

    `picture_url` returns where the annotated picture of a key can be seen at full size.
    """
    job, statistics = content.job, content.statistics
    style, script = asset("report.css"), asset("report.js")
    labels = sorted(
        {
            label
            for shown in content.pictures
            if not shown.picture.lines  # whose label says nothing
            for label in shown.picture.best
        }
    )
    ref = ModelRef.from_json(job.model)
    counts = {name: getattr(content.counts, name) for name in _COUNTS}
    parts = segments({name: count for name, count in counts.items() if name != "listed"})
    comparison = None if job.comparison is None else Comparison.from_json(job.comparison)
    if job.carried:
        counts["carried"] = job.carried
    sections = [section(one) for one in statistics.models.values() if one.task.has_things]
    return (
        environment()
        .get_template("report.html.j2")
        .render(
            job=job,
            state=job.state.value,
            is_planning=job.state is JobState.PLANNING,
            as_of=None if job.state in ENDED_JOBS else iso(content.now),
            took=took(job),
            outcome=outcome(
                job.state,
                content.counts,
                listing_ended=job.planned_at is not None,
                carried=job.carried,
            ),
            counts=counts,
            parts=parts,
            compared=None if comparison is None else comparison.words,
            passed_over=list(in_words(job.passed_over)),
            plan_warnings=list(PlanWarnings.from_json(job.warnings).in_words()),
            statistics=statistics,
            sections=sections,
            models=[member.name for member in ref.members],
            several=len(ref.members) > 1,
            colours={name: colours(one) for name, one in statistics.models.items()},
            speed=None if content.speed is None else speed(content.speed),
            speed_chart=_speed_chart(throughput(content.shards)),
            stages=bars(busy_seconds(shard.timings for shard in content.shards)),
            labels=labels,
            cards=_cards(content, labels, picture_url),
            measure=_measure(sections),
            has_texts=any(one.has_texts for one in sections),
            pictures_at=unquote(picture_url("annotated")),
            unread=content.unread,
            dismissed=min(content.dismissed, content.counts.quarantined),
            reasons=bars(top(statistics.reasons, _REASONS_SHOWN)),
            provenance=provenance(job),
            style=style,
            script=script,
            policy=policy(style, script),
        )
    )


def _measure(sections: Sequence[Section]) -> str | None:
    """Return what the gallery's filter compares; None if no card has any number to compare."""
    kinds = {"share" if one.has_shares else "score" for one in sections if not one.has_texts}
    return " or ".join(sorted(kinds)) or None


def _speed_chart(speed: Throughput | None) -> Any:
    if speed is None:
        return None
    width = speed.seconds / BINS
    titles = [
        f"after {duration(place * width)}: {number(rate)} items a second"
        for place, rate in enumerate(speed.rates)
    ]
    return columns(speed.rates, titles, time_marks(speed.seconds))


def _cards(
    content: Content, labels: Sequence[str], picture_url: PictureUrl
) -> list[dict[str, Any]]:
    """Return what the gallery shows; the script gets labels as their indices in `labels`."""
    place = {label: number for number, label in enumerate(labels)}
    return [
        {
            "item": shown.picture.item,
            "model": shown.picture.model,
            "image": shown,
            "href": picture_url(shown.picture.annotated),
            "chips": _chips(shown.picture, content.statistics),
            "is_empty": not shown.picture.found,
            "lines": shown.picture.lines,
            "found": _found(shown.picture, content.statistics),
            "best": json.dumps(
                {
                    place[label]: round(score, 3)
                    for label, score in shown.picture.best.items()
                    if label in place
                }
            ),
        }
        for shown in content.pictures
    ]


def _found(picture: Picture, statistics: Statistics) -> str:
    findings = statistics.models.get(picture.model)
    return count(picture.found, findings.task.noun if findings else "detection")


def _chips(picture: Picture, statistics: Statistics) -> dict[str, str]:
    """Return the labels of a card with their numbers in words; text speaks for itself."""
    findings = statistics.models.get(picture.model)
    if findings is not None and findings.task.has_texts:
        return {}
    form = "{:.0%}" if findings is not None and findings.task.has_shares else "{:.2f}"
    return {label: form.format(score) for label, score in picture.best.items()}
