"""The page, read back by an HTML parser that knows nothing of the template."""

import base64
import json
import re
from collections.abc import Sequence
from hashlib import sha256
from html.parser import HTMLParser
from typing import Any

import pytest

from core.options import SEVERAL, ModelRef
from core.states import JobState
from report.page import Content, relative_url, render
from report.pictures import Embedded
from report.statistics import Picture, Statistics
from store.jobs import Tally
from store.tables import Job, Shard
from tests.bench import OPTIONS, PROFILE
from tests.unit.report.test_statistics import quarantined, read_statistics, row

SKY = {"label": "sky", "class_id": 1, "score": 0.625}
LINE = {"label": "text", "class_id": 0, "score": 1.0, "text": "due by 31 December"}
HOSTILE = [
    "<script>alert(1)</script>",
    "\"><img src=x onerror='alert(1)'>",
    "a'b\"c&d`e",
    "line\nbreak\r\x00\x07",
    "\u202egpj.exe",
    "日本語 ünï",
    "javascript:alert(1)",
    "</style></script><!--",
    "{{ 7 * 7 }}",
    "__proto__",
]


class Parsed(HTMLParser):
    """The tags of a page with their attributes, and its text."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: Sequence[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.text += data

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.tags if name == tag]


def job(state: JobState = JobState.SUCCEEDED, **values: Any) -> Job:
    defaults: dict[str, Any] = {
        "id": "abc",
        "name": "lake",
        "kind": "infer",
        "task": "detect",
        "source": "/lake",
        "output": "/out",
        "model": ModelRef("m", "detect", "d" * 64, "/models/m").to_json(),
        "options": OPTIONS.to_json(),
        "selection": {"include": []},
        "tags": [],
        "version": "1.2.3",
        "profile": PROFILE.to_json(),
        "past_profiles": [],
        "created_at": 0.0,
        "planned_at": 0.0,
        "started_at": 10.0,
        "finished_at": 70.0,
        "generation": 0,
        "passed_over": {},
        "error": None,
    }
    return Job(state=state, **(defaults | values))


def page(
    statistics: Statistics,
    *,
    of: Job | None = None,
    pictures: Sequence[Embedded] = (),
    shards: Sequence[Shard] = (),
    now: float = 50.0,
    listed: int = 0,
) -> str:
    counts = Tally(listed, listed, 0, 0, 0, 0, 0, {})
    return render(Content(of or job(), counts, shards, statistics, pictures, now), relative_url)


def embedded(statistics: Statistics) -> list[Embedded]:
    return [Embedded(each, "data:image/jpeg;base64,AA==", 4, 3) for each in statistics.gallery()]


def hostile_page() -> str:
    rows = [row(name, (name, 0.5 + 0.01 * place)) for place, name in enumerate(HOSTILE)]
    rows += [quarantined(name, f"{name}: {name}") for name in HOSTILE]
    rows += [row(f"odd {name}", annotated=None) | {"warning": name} for name in HOSTILE]
    statistics = read_statistics(rows)
    evil = HOSTILE[1]
    of = job(
        name=HOSTILE[0],
        source=evil,
        error=evil,
        tags=HOSTILE,
        passed_over={evil: 3},
        warnings={evil: {"count": 1, "examples": HOSTILE}},
        model={"name": evil, "task": "detect", "digest": evil, "location": evil},
        selection={"include": HOSTILE},
    )
    return page(statistics, of=of, pictures=embedded(statistics))


def test_what_was_read_with_a_warning_is_listed() -> None:
    odd = row("a.jpg", ("boat", 0.5)) | {"warning": "damaged: its data ends early"}
    assert "damaged: its data ends early" in page(read_statistics([odd]))
    assert "Read with a warning" not in page(read_statistics([row("a.jpg")]))


def test_what_is_no_item_is_told_in_words() -> None:
    of = job(
        passed_over={"video": 3, "hidden": 1},
        warnings={"unreadable folder": {"count": 1, "examples": ["locked"]}},
    )
    told = page(read_statistics([]), of=of)
    assert "<bdi>3 videos</bdi>, <bdi>1 hidden</bdi>." in told
    assert "1 folder can&#39;t be read, and what is in it is left out: locked" in told


def test_names_from_data_never_become_markup() -> None:
    odd = row("c", annotated=None) | {"warning": "odd"}
    plain = read_statistics([*(row("a", ("b", 0.5)) for _ in HOSTILE), quarantined("a", "b"), odd])
    harmless = {
        tag for tag, _ in Parsed(page(plain, of=job(error="x"), pictures=embedded(plain))).tags
    }
    parsed = Parsed(hostile_page())
    assert {tag for tag, _ in parsed.tags} <= harmless
    assert len(parsed.all("script")) == 1
    assert not [name for _, attributes in parsed.tags for name in attributes if name[:2] == "on"]
    assert HOSTILE[0] in parsed.text
    assert "{{ 7 * 7 }}" in parsed.text
    assert not re.search("[\x00\x07\u202e\r]", parsed.text)


def test_urls_stay_relative_and_nothing_is_loaded_from_outside() -> None:
    parsed = Parsed(hostile_page())
    hrefs = [link["href"] or "" for link in parsed.all("a") if "data-zoom" in link]
    assert len(hrefs) == len(HOSTILE)
    assert all(re.fullmatch(r"annotated/[A-Za-z0-9%._/~-]+", href) for href in hrefs)
    assert all((image.get("src") or "data:").startswith("data:") for image in parsed.all("img"))
    assert all((link["href"] or "").startswith("data:") for link in parsed.all("link"))
    assert not [tag for tag, attributes in parsed.tags if tag == "script" and attributes]


def test_the_policy_names_exactly_the_pages_own_script_and_style() -> None:
    text = hostile_page()
    policy = next(
        meta["content"] or ""
        for meta in Parsed(text).all("meta")
        if meta.get("http-equiv") == "Content-Security-Policy"
    )
    for tag in ("script", "style"):
        content = text.partition(f"<{tag}>")[2].partition(f"</{tag}>")[0]
        digest = base64.b64encode(sha256(content.encode()).digest()).decode()
        assert f"{tag}-src 'sha256-{digest}'" in policy
    assert policy.startswith("default-src 'none'")
    assert "unsafe" not in policy


def test_cards_say_by_number_what_the_filter_offers() -> None:
    statistics = read_statistics([row("a", ("x", 0.9), ("y", 0.4)), row("b", ("y", 0.7)), row("c")])
    parsed = Parsed(page(statistics, pictures=embedded(statistics)))
    assert [option["value"] for option in parsed.all("option")] == ["", "0", "1"]
    best = [json.loads(item["data-best"] or "") for item in parsed.all("li") if "data-best" in item]
    assert best == [{"0": 0.9, "1": 0.4}, {"1": 0.7}, {}]


def test_the_page_of_a_big_job_is_bounded() -> None:
    rows = [
        row(f"{number}/" + "x" * 3_000, *((f"class {k}" + "y" * 500, 0.5) for k in range(60)))
        for number in range(2_500)
    ]
    rows += [quarantined(f"{number}q" * 600, "r" * 3_000) for number in range(2_500)]
    statistics = read_statistics(rows)
    text = page(statistics, pictures=embedded(statistics), listed=5_000)
    assert len(text) < 600_000
    assert "and 2,400 more" in text


def test_an_empty_job_has_a_page() -> None:
    text = Parsed(page(read_statistics([]))).text
    for words in ("Nothing was found.", "There are no annotated pictures.", "None."):
        assert words in text


def test_items_in_which_nothing_was_found_are_shown() -> None:
    statistics = read_statistics([row("a"), row("b")])
    parsed = Parsed(page(statistics, pictures=embedded(statistics)))
    assert "nothing found" in parsed.text
    assert "Nothing was found in 2 items." in parsed.text
    assert len(parsed.all("figure")) == 2


def test_each_model_has_numbers_of_its_own() -> None:
    rows = [
        row("a", ("person", 0.9), ("person", 0.8), model="pico"),
        row("a", model="areas", task="segment", classes=[SKY]),
        row("a", model="reader", task="ocr", detections=[LINE]),
    ]
    models = {"pico": "detect", "areas": "segment", "reader": "ocr"}
    statistics = read_statistics(rows, *models.items())
    parts = {name: ModelRef(name, task, "d" * 64, "/") for name, task in models.items()}
    of = job(model=ModelRef.composed("three", SEVERAL, parts).to_json())
    parsed = Parsed(page(statistics, of=of, pictures=embedded(statistics)))
    text = " ".join(parsed.text.split())
    assert "1 item has 3 rows of results, by 3 models. Something was found in 1 item." in text
    for words in ("detections · pico2", "classes · areas1", "lines · reader1"):
        assert words in text
    assert "Detections per class · pico" in text
    assert "Items per class · areas" in text
    charts = [each["aria-label"] for each in parsed.all("svg") if each.get("role") == "img"]
    assert charts == [
        "Histogram: Detections by score, from 0 to 1",
        "Histogram: Segments by share of the picture, from 0 to 1",
        "Histogram: Lines by score, from 0 to 1",
    ]
    assert "sky 62%" in text
    assert "Score or share at least" in text
    assert "text 1.00" not in text


def test_text_is_on_the_cards_and_in_their_search() -> None:
    statistics = read_statistics(
        [row("page.png", model="m", task="ocr", detections=[LINE, LINE])], ("m", "ocr")
    )
    of = job(model=ModelRef("m", "ocr", "d" * 64, "/").to_json())
    parsed = Parsed(page(statistics, of=of, pictures=embedded(statistics)))
    assert "2 lines of text with 8 words in 1 of 1 item." in parsed.text
    [card] = [item for item in parsed.all("li") if "data-words" in item]
    assert (card["data-words"] or "").split("\n") == ["page.png", LINE["text"], LINE["text"]]
    assert parsed.text.count("due by 31 December") == 2
    assert "text 1.00" not in parsed.text
    assert [image["alt"] for image in parsed.all("img")] == ["page.png: 2 lines", ""]
    assert [each.get("id") for each in parsed.all("input")] == ["words"]


def test_pictures_that_are_gone_are_missed() -> None:
    statistics = read_statistics([row("a", ("x", 0.5))])
    counts = Tally(1, 1, 0, 0, 0, 0, 0, {})
    text = Parsed(
        render(Content(job(), counts, [], statistics, [], 1.0, unread=1), relative_url)
    ).text
    assert "1 annotated picture could not be read and is missing here. It should lie in /out" in (
        " ".join(text.split())
    )


@pytest.mark.parametrize("state", [JobState.PLANNING, JobState.RUNNING, JobState.PAUSED])
def test_a_job_that_goes_on_says_so_and_when(state: JobState) -> None:
    of = job(state, started_at=None, finished_at=None, profile=None)
    text = Parsed(page(read_statistics([]), of=of, now=86_400.0)).text
    assert "has not ended yet" in text
    assert "1970-01-02 00:00:00Z" in text
    assert ("listing is still being read" in text) == (state is JobState.PLANNING)


def test_the_page_of_an_ended_job_does_not_depend_on_when_it_is_made() -> None:
    statistics = read_statistics([row("a", ("x", 0.5))])
    assert page(statistics, now=1.0) == page(statistics, now=2.0)
    assert "has not ended yet" not in page(statistics)


def test_charts_and_pictures_have_words() -> None:
    statistics = read_statistics([row("a", ("x", 0.52), ("x", 0.53))])
    shard = Shard(started_at=0, finished_at=10, succeeded=20, skipped=0, quarantined=0, timings={})
    parsed = Parsed(page(statistics, pictures=embedded(statistics), shards=[shard]))
    assert "0.50 to 0.55: 2 detections" in parsed.text
    charts = [each for each in parsed.all("svg") if each.get("role") == "img"]
    assert len(charts) == 2
    assert all(chart["aria-label"] for chart in charts)
    assert [image["alt"] for image in parsed.all("img")] == ["a: 2 detections", ""]
    assert "after 0.0s: 2 items a second" in parsed.text


def test_how_it_was_made_is_all_there() -> None:
    text = Parsed(page(read_statistics([]), of=job(tags=["night"]))).text
    for words in (
        "d" * 64,
        "cpu-test",
        "fp32",
        "1.2.3",
        "night",
        "1970-01-01 00:01:10Z",
        "1m 00s",
    ):
        assert words in text


def test_pictures_carry_their_own_numbers() -> None:
    shown = Embedded(Picture(1, "i", "m", "annotated/i.jpg", 7, {"x": 0.5}), "data:,", 4, 3)
    parsed = Parsed(page(read_statistics([row("i", ("x", 0.5))]), pictures=[shown]))
    assert parsed.all("img")[0]["width"] == "4"
    assert parsed.all("img")[0]["alt"] == "i: 7 detections"
