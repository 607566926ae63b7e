import random
from collections import Counter
from typing import Any

from report.statistics import GALLERY, QUARANTINED_SHOWN, SCORE_BINS, read_statistics


def row(item: str, *found: tuple[str, float], **changes: Any) -> dict[str, Any]:
    return {
        "item": item,
        "model": "m",
        "state": "succeeded",
        "detections": [
            {"label": label, "class_id": len(label), "score": score} for label, score in found
        ],
        "classes": None,
        "annotated": f"annotated/{item}.jpg",
        "reason": None,
        **changes,
    }


def quarantined(item: str, reason: str | None) -> dict[str, Any]:
    return row(item, state="quarantined", detections=None, annotated=None, reason=reason)


def test_counts_are_those_of_the_rows() -> None:
    chance = random.Random(3)
    rows = [
        row(str(number), *((chance.choice("abc"), chance.random()) for _ in range(number % 5)))
        for number in range(500)
    ]
    statistics = read_statistics(rows)

    everything = [one for each in rows for one in each["detections"]]
    assert statistics.rows == 500
    assert statistics.detections == Counter(one["label"] for one in everything)
    assert statistics.items_with["a"] == sum(
        any(one["label"] == "a" for one in each["detections"]) for each in rows
    )
    assert statistics.items_without_any == 100
    middle = [one for one in everything if 0.5 <= one["score"] < 0.55]
    assert len(middle) > 0
    assert statistics.scores[10] == len(middle)
    assert sum(statistics.scores) == len(everything)


def test_the_ends_of_the_scale_have_their_bins() -> None:
    scores = read_statistics([row("a", ("x", 0.0), ("x", 1.0), ("x", 0.999))]).scores
    assert (scores[0], scores[-1], len(scores)) == (1, 2, SCORE_BINS)


def test_a_picture_knows_each_class_by_its_best_score_surest_first() -> None:
    [picture] = read_statistics([row("a", ("x", 0.4), ("y", 0.9), ("x", 0.7))]).gallery()
    assert list(picture.best.items()) == [("y", 0.9), ("x", 0.7)]
    assert picture.detections == 3


def test_pictures_with_detections_come_first_and_stay_in_order() -> None:
    rows = [row(str(n), *([("x", 0.5)] if n % 100 == 7 else [])) for n in range(2_000)]
    gallery = read_statistics(rows).gallery()
    assert len(gallery) == GALLERY
    assert sum(picture.detections for picture in gallery) == 20
    assert [picture.order for picture in gallery] == sorted(picture.order for picture in gallery)


def test_items_without_a_picture_are_not_in_the_gallery() -> None:
    assert read_statistics([row("a", ("x", 0.5), annotated=None)]).gallery() == []


def test_quarantined_items_are_counted_by_code_and_listed_up_to_a_limit() -> None:
    rows = [
        quarantined(str(n), "truncated: at byte 3" if n % 2 else "empty: no bytes")
        for n in range(301)
    ]
    statistics = read_statistics([*rows, quarantined("last", None)])
    assert statistics.reasons == {"truncated": 150, "empty": 151, "no reason given": 1}
    assert len(statistics.setbacks) == QUARANTINED_SHOWN
    assert statistics.setbacks[1].item == "1"
    assert statistics.setbacks[1].reason == "truncated: at byte 3"


def test_nothing_adds_up_to_nothing() -> None:
    statistics = read_statistics([])
    assert (statistics.rows, sum(statistics.scores), statistics.gallery()) == (0, 0, [])
