"""What a page looks like at every width, in both schemes, and on paper."""

import re
from pathlib import Path

import cv2
import numpy as np
import pytest

from tests.browser.conftest import JOBS, SCHEMES, WIDTHS, Visitor
from tests.browser.jobs import HOSTILE

FOUND = ("Detections per class", "Scores")
FOUND_BY_SEVERAL = (
    *(f"{title} · regatta-detector" for title in FOUND),
    *(f"{title} · a-reader-of-lines-with-a-long-name" for title in ("Text", "Scores")),
)
SECTIONS = (
    "Pictures",
    "Quarantined items",
    "Items a second",
    "Busy seconds per stage",
    "How it was made",
)


def sections(job: str) -> list[str]:
    return [*(FOUND_BY_SEVERAL if job == "several" else FOUND), *SECTIONS]


# All elements that reach out of the page to the right, or of a parent that would cut them.
_TOO_WIDE = """() => [...document.querySelectorAll("body *")].filter((one) => {
  const box = one.getBoundingClientRect();
  return box.width > 1 && !one.closest("svg") && (box.right > innerWidth + 1 || box.left < -1);
}).map((one) => one.outerHTML.slice(0, 200))"""


@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("job", JOBS)
def test_everything_fits_the_width(visit: Visitor, job: str, width: int, scheme: str) -> None:
    page = visit(job, width, scheme).page
    assert page.evaluate("document.documentElement.scrollWidth") == width
    assert page.evaluate(_TOO_WIDE) == []
    assert page.locator("h2").all_inner_texts()[1:] == sections(job)


@pytest.mark.parametrize("width", WIDTHS)
def test_all_pictures_are_there_in_their_own_shape(visit: Visitor, width: int) -> None:
    page = visit("sailed", width).page
    pictures = page.locator(".gallery img")
    assert pictures.count() == 48
    broken = """all => all.filter((one) => !one.complete
      || one.naturalWidth !== Number(one.getAttribute("width"))
      || getComputedStyle(one).objectFit !== "contain").length"""
    assert pictures.evaluate_all(broken) == 0


def test_names_from_data_are_only_ever_text(visit: Visitor) -> None:
    page = visit("hostile").page
    names = page.locator(".gallery .name").all_inner_texts()
    assert names[0] == HOSTILE[0]
    assert names[1] == HOSTILE[1]
    assert names[2] == r"invoice\u202egpj.exe"
    assert "…" in names[3]
    assert names[5] == HOSTILE[5]
    assert page.locator("script").count() == 1
    assert page.locator("main b, main script, [onerror], [onmouseover]").count() == 0
    assert page.title().endswith("Regatta report")


@pytest.mark.parametrize(
    ("job", "words"),
    [
        ("sailed", "1,194 of 1,200 items succeeded; 6 are quarantined."),
        ("running", "3 of 503 items so far are done."),
        ("new", "No items are listed yet."),
        ("nothing", "No items were listed."),
        ("bare", "There are no annotated pictures."),
    ],
)
def test_it_says_first_what_became_of_the_job(visit: Visitor, job: str, words: str) -> None:
    assert words in visit(job).page.locator("body").inner_text()


@pytest.mark.parametrize("job", JOBS)
def test_without_script_everything_can_be_seen(visit: Visitor, job: str) -> None:
    page = visit(job, java_script_enabled=False).page
    assert page.locator("h2").all_inner_texts()[1:] == sections(job)
    assert not page.locator("#filters").is_visible()
    assert not page.locator("#zoom").is_visible()


def test_dark_is_dark_and_light_is_light(visit: Visitor) -> None:
    light, dark = (
        cv2.imdecode(
            np.frombuffer(visit("bare", 900, scheme).page.screenshot(), np.uint8),
            cv2.IMREAD_GRAYSCALE,
        )
        for scheme in SCHEMES
    )
    assert np.median(light) > 200
    assert np.median(dark) < 60


@pytest.mark.parametrize("scheme", SCHEMES)
def test_paper_has_all_of_it_and_cuts_no_picture(
    visit: Visitor, scheme: str, tmp_path: Path
) -> None:
    page = visit("sailed", 900, scheme).page
    page.locator("[data-zoom]").first.click()
    page.emulate_media(media="print")
    assert page.locator("h2").all_inner_texts()[1:] == sections("sailed")
    assert not page.locator("dialog").is_visible()
    assert not page.locator("#filters").is_visible()
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
    uncut = "all => all.every(one => getComputedStyle(one).breakInside === 'avoid')"
    assert page.locator(".gallery li").evaluate_all(uncut)
    scrolled = page.locator(".scroll")
    assert scrolled.evaluate("one => one.scrollHeight <= one.clientHeight")

    pdf = page.pdf(format="A4", print_background=True)
    (tmp_path / "report.pdf").write_bytes(pdf)
    assert pdf.startswith(b"%PDF")
    assert 2 <= len(re.findall(rb"/Type\s*/Page\b", pdf)) <= 12
