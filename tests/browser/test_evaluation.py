"""The page of an evaluation: who can use it, and what it looks like at every width."""

import json

import pytest
from axe_playwright_python.sync_playwright import Axe

from tests.browser.conftest import EVALUATED, SCHEMES, WIDTHS, Visitor
from tests.browser.test_access import CONTRASTS


@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize("job", EVALUATED)
def test_axe_finds_nothing_and_every_text_stands_out(visit: Visitor, job: str, scheme: str) -> None:
    page = visit(f"evaluated {job}", 900, scheme, bypass_csp=True).page
    contrasts: list[tuple[str, float]] = page.evaluate(CONTRASTS)
    assert len(contrasts) > 40
    assert [one for one in contrasts if one[1] < 4.5] == []
    found = Axe().run(page).response["violations"]
    assert [f"{one['id']}: {json.dumps(one['nodes'])[:500]}" for one in found] == []


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("job", EVALUATED)
def test_nothing_sticks_out_at_any_width(visit: Visitor, job: str, width: int) -> None:
    page = visit(f"evaluated {job}", width).page
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    assert page.locator(".worst li").count() > 0


def test_each_place_in_the_list_of_sections_exists(visit: Visitor) -> None:
    page = visit("evaluated sailed").page
    for link in page.get_by_role("navigation").get_by_role("link").all():
        place = (link.get_attribute("href") or "").removeprefix("#")
        assert page.locator(f"#{place}").count() == 1
