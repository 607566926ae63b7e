import random
from collections import Counter
from collections.abc import Iterable
from typing import Any

from core.options import SEVERAL, ModelRef
from report.findings import SCORE_BINS, Findings
from report.statistics import GALLERY, QUARANTINED_SHOWN, WARNED_SHOWN, Statistics
from report.statistics import read_statistics as read

MODEL = ModelRef("m", "detect", "d" * 64, "/models/m")


def read_statistics(rows: Iterable[dict[str, Any]], *models: tuple[str, str]) -> Statistics:
    """Read the rows of a job with the model `m`, or with several of these names and tasks."""
    parts = {name: ModelRef(name, task, "d" * 64, "/") for name, task in models}
    return read(rows, ModelRef.composed("several", SEVERAL, parts) if parts else MODEL)


def findings(rows: Iterable[dict[str, Any]]) -> Findings:
    return read_statistics(rows).models["m"]


def row(item: str, *found: tuple[str, float], **changes: Any) -> dict[str, Any]:
    return {
        "item": item,
        "task": "detect",
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
    assert (statistics.rows, statistics.items, statistics.items_with_any) == (500, 500, 400)
    found = statistics.models["m"]
    assert found.things == Counter(one["label"] for one in everything)
    assert found.items_with["a"] == sum(
        any(one["label"] == "a" for one in each["detections"]) for each in rows
    )
    assert found.items_without_any == 100
    middle = [one for one in everything if 0.5 <= one["score"] < 0.55]
    assert len(middle) > 0
    assert found.scores[10] == len(middle)
    assert sum(found.scores) == len(everything)


def test_the_ends_of_the_scale_have_their_bins() -> None:
    scores = findings([row("a", ("x", 0.0), ("x", 1.0), ("x", 0.999))]).scores
    assert (scores[0], scores[-1], len(scores)) == (1, 2, SCORE_BINS)


def test_a_picture_knows_each_class_by_its_best_score_surest_first() -> None:
    [picture] = read_statistics([row("a", ("x", 0.4), ("y", 0.9), ("x", 0.7))]).gallery()
    assert list(picture.best.items()) == [("y", 0.9), ("x", 0.7)]
    assert picture.found == 3


def test_pictures_with_detections_come_first_and_stay_in_order() -> None:
    rows = [row(str(n), *([("x", 0.5)] if n % 100 == 7 else [])) for n in range(2_000)]
    gallery = read_statistics(rows).gallery()
    assert len(gallery) == GALLERY
    assert sum(picture.found for picture in gallery) == 20
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
    assert (statistics.rows, statistics.items, statistics.gallery()) == (0, 0, [])
    assert (statistics.models["m"].things.total(), statistics.models["m"].items) == (0, 0)


def test_two_models_that_see_the_same_are_not_added_up() -> None:
    """Four pictures with four people each, looked at by two models; a fifth is empty."""
    people = [("person", 0.9)] * 4
    rows = [
        row(str(number), *(people if number < 4 else []), model=model, task=task)
        for number in range(5)
        for model, task in (("pose", "keypoint"), ("pico", "detect"))
    ]
    statistics = read_statistics(rows, ("pose", "keypoint"), ("pico", "detect"))
    for found in statistics.models.values():
        assert found.things == {"person": 16}
        assert (found.items_with["person"], found.items, found.items_without_any) == (4, 5, 1)
    assert (statistics.rows, statistics.items, statistics.items_with_any) == (10, 5, 4)


def test_an_item_with_many_frames_is_one_item() -> None:
    seen = [row("film.mp4", ("x", 0.9)), row("film.mp4"), row("film.mp4", ("x", 0.8), ("y", 0.5))]
    found = findings([*seen, row("still.mp4"), row("still.mp4")])
    assert (found.rows, found.items, found.items_without_any) == (5, 2, 1)
    assert found.things == {"x": 2, "y": 1}
    assert found.items_with == {"x": 1, "y": 1}


def test_shares_and_scores_stay_apart() -> None:
    """A segmentation's outlines are no things: its classes are, with their shares."""
    sky = {"label": "sky", "class_id": 1, "score": 0.625}
    outlines = [{"label": "sky", "class_id": 1, "score": 0.125}] * 3
    rows = [
        row("a", ("boat", 0.9), model="boxes"),
        row("a", model="areas", task="segment", classes=[sky], detections=outlines),
        row("b", ("boat", 0.9), model="boxes"),
        row("b", model="areas", task="segment", classes=[sky | {"score": 0.375}]),
    ]
    models = read_statistics(rows, ("boxes", "detect"), ("areas", "segment")).models
    assert models["areas"].things == {"sky": 2}
    assert models["areas"].mean("sky") == 0.5
    assert [sum(models[name].scores) for name in ("boxes", "areas")] == [2, 2]
    assert models["boxes"].scores[18] == 2
    assert models["areas"].scores[18] == 0


def test_text_is_what_was_found() -> None:
    lines = [
        {"label": "text", "class_id": 0, "score": 1.0, "text": text}
        for text in ("due by 31 December", "x" * 1_500, "y" * 1_500, "left out")
    ]
    statistics = read_statistics([row("page", task="ocr", detections=lines)])
    assert statistics.models["m"].words == 4 + 1 + 1 + 2
    assert statistics.models["m"].texts[0] == "due by 31 December"
    [picture] = statistics.gallery()
    assert [len(line) for line in picture.lines] == [18, 1_500, 482]


def test_an_item_is_warned_of_once_however_many_rows_it_has() -> None:
    odd = row("a", ("boat", 0.5)) | {"warning": "3 stray bytes before the end marker"}
    statistics = read_statistics([odd | {"model": "one"}, odd | {"model": "two"}, row("b")])
    assert statistics.warned == 1
    assert [one.item for one in statistics.warnings] == ["a"]
    more = read_statistics([odd | {"item": str(n)} for n in range(WARNED_SHOWN + 5)])
    assert (more.warned, len(more.warnings)) == (WARNED_SHOWN + 5, WARNED_SHOWN)


def test_an_item_is_quarantined_once_however_many_models_it_fails() -> None:
    rows = [
        quarantined("a", "truncated: at byte 3") | {"model": "one"},
        quarantined("a", "truncated: at byte 3") | {"model": "two"},
        row("b", model="one"),
        quarantined("b", "out_of_memory: alone") | {"model": "two"},
        quarantined("c", "truncated: at byte 3") | {"model": "one"},
        quarantined("c", "truncated: at byte 9") | {"model": "two"},
    ]
    statistics = read_statistics(rows, ("one", "detect"), ("two", "detect"))
    assert statistics.quarantined == 3
    assert statistics.reasons == {"truncated": 2, "out_of_memory": 1}
    assert [(each.item, each.models) for each in statistics.setbacks] == [
        ("a", ("one", "two")),
        ("b", ("two",)),
        ("c", ("one",)),
        ("c", ("two",)),
    ]
