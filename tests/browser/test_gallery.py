"""Filters, and the view of one picture, as a person uses them: with the keyboard alone."""

import json

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.browser.conftest import WIDTHS, Visitor


def shown(page: Page) -> Locator:
    return page.locator(".gallery li:visible")


def best(card: Locator) -> dict[str, float]:
    return dict(json.loads(card.get_attribute("data-best") or ""))


@pytest.mark.parametrize("width", WIDTHS)
def test_a_class_leaves_the_pictures_that_have_it(visit: Visitor, width: int) -> None:
    page = visit("sailed", width).page
    everything = [best(card) for card in shown(page).all()]
    page.get_by_role("combobox", name="Class").select_option(label="gull")
    number = page.get_by_role("combobox", name="Class").input_value()
    wanted = [each for each in everything if number in each]
    assert 0 < len(wanted) < len(everything) == 48
    assert [best(card) for card in shown(page).all()] == wanted
    expect(page.locator("#shown")).to_have_text(f"{len(wanted)} of 48 shown")
    page.get_by_role("combobox", name="Class").select_option(label="any")
    expect(shown(page)).to_have_count(48)


def test_a_score_leaves_the_pictures_that_reach_it(visit: Visitor) -> None:
    page = visit("sailed").page
    everything = [best(card) for card in shown(page).all()]
    page.get_by_role("combobox", name="Class").select_option(label="buoy")
    number = page.get_by_role("combobox", name="Class").input_value()
    page.get_by_role("slider").focus()
    for _ in range(17):
        page.keyboard.press("ArrowRight")
    expect(page.locator("#at-least")).to_have_text("0.85")
    wanted = [each for each in everything if each.get(number, 0) >= 0.85]
    assert 0 < len(wanted) < 48
    assert [best(card) for card in shown(page).all()] == wanted

    page.keyboard.press("End")
    expect(page.get_by_text("No picture here is like that.")).to_be_visible()
    expect(page.locator("#shown")).to_have_text("0 of 48 shown")
    page.keyboard.press("Home")
    expect(page.locator("#none")).to_be_hidden()


@pytest.mark.parametrize(
    ("wanted", "found"),
    [("DECEMBER", 1), ("2.jpg", 2), ("  größe ", 1), ("<b>", 1), ("lane", 4), ("boat 0", 0)],
)
def test_names_and_texts_are_searched(visit: Visitor, wanted: str, found: int) -> None:
    page = visit("several").page
    page.get_by_role("searchbox", name="Search").fill(wanted)
    expect(page.locator("#shown")).to_have_text(f"{found} of 8 shown")
    expect(shown(page)).to_have_count(found)


def test_a_picture_without_detections_is_shown_until_some_are_asked_for(visit: Visitor) -> None:
    page = visit("running").page
    page.get_by_role("slider").focus()
    expect(page.locator("#shown")).to_have_text("2 of 2 shown")
    page.keyboard.press("End")
    expect(page.locator("#shown")).to_have_text("0 of 2 shown")


@pytest.mark.parametrize("job", ["sailed", "hostile"])
def test_one_picture_opens_steps_and_closes_by_keyboard(visit: Visitor, job: str) -> None:
    page = visit(job, 390).page
    links = page.locator("[data-zoom]")
    dialog = page.get_by_role("dialog")
    links.nth(1).focus()
    page.keyboard.press("Enter")
    expect(dialog).to_be_visible()
    expect(page.get_by_role("button", name="Close")).to_be_focused()
    name = page.locator("#zoom-name .name")
    names = page.locator(".gallery .name").all_inner_texts()
    expect(name).to_have_text(names[1])
    last = len(names)
    expect(page.locator("#zoom-name")).to_contain_text(f"2 of {last}")

    page.keyboard.press("ArrowRight")
    expect(name).to_have_text(names[2])
    for _ in range(3):
        page.keyboard.press("ArrowLeft")
    expect(name).to_have_text(names[-1])
    image = page.locator("#zoom-image")
    assert image.get_attribute("src") == links.last.locator("img").get_attribute("src")
    assert (image.get_attribute("alt") or "").startswith(names[-1])
    target = "one => one.href"
    full = page.get_by_role("link", name="Full picture")
    assert full.evaluate(target) == links.last.evaluate(target)

    page.keyboard.press("Escape")
    expect(dialog).to_be_hidden()
    expect(links.last).to_be_focused()


def test_tab_stays_in_the_open_picture(visit: Visitor) -> None:
    page = visit("sailed").page
    page.locator("[data-zoom]").first.press("Enter")
    for _ in range(12):
        page.keyboard.press("Tab")
        inside = (
            "document.activeElement === document.body || !!document.activeElement.closest('dialog')"
        )
        assert page.evaluate(inside)


def test_steps_go_through_the_filtered_pictures_only(visit: Visitor) -> None:
    page = visit("sailed").page
    page.get_by_role("combobox", name="Class").select_option(label="gull")
    names = [card.locator(".name").inner_text() for card in shown(page).all()]
    shown(page).first.locator("a").click()
    seen = []
    for _ in names:
        seen.append(page.locator("#zoom-name .name").inner_text())
        page.get_by_role("button", name="Next picture").click()
    assert seen == names
    expect(page.locator("#zoom-name .name")).to_have_text(names[0])
    page.get_by_role("button", name="Close").click()
    expect(shown(page).first.locator("a")).to_be_focused()


@pytest.mark.parametrize("width", WIDTHS)
def test_the_open_picture_fills_the_screen_and_is_whole(visit: Visitor, width: int) -> None:
    page = visit("hostile", width).page
    page.locator("[data-zoom]").nth(3).click()
    box = page.locator("#zoom-image").bounding_box()
    assert box is not None
    assert box["width"] == width
    assert box["height"] > 500
    assert box["y"] + box["height"] <= 845
    for button in page.locator("dialog button").all():
        size = button.bounding_box()
        assert size is not None
        assert size["x"] + size["width"] <= width
        assert min(size["width"], size["height"]) >= 40
