"""Who can use the page: contrast, names, landmarks, focus."""

import json
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe

from tests.browser.conftest import JOBS, SCHEMES, Visitor

# The contrast (WCAG 2) of every text with what is painted behind it, charts included: axe looks
# at HTML only. Backgrounds are plain colours, some with alpha.
CONTRASTS = """() => {
  const context = document.createElement("canvas").getContext("2d", {willReadFrequently: true});
  const rgba = (colour) => {
    context.clearRect(0, 0, 1, 1); context.fillStyle = colour; context.fillRect(0, 0, 1, 1);
    const [r, g, b, a] = context.getImageData(0, 0, 1, 1).data;
    return [r, g, b, a / 255];
  };
  const over = (top, under) =>
    [0, 1, 2].map((i) => top[i] * top[3] + under[i] * (1 - top[3])).concat(1);
  const behind = (one) => {
    const layers = [];
    for (let at = one; at; at = at.parentElement) {
      layers.push(rgba(getComputedStyle(at).backgroundColor));
    }
    return layers.reverse().reduce((under, top) => over(top, under), [255, 255, 255, 1]);
  };
  const light = ([r, g, b]) => [r, g, b].map((c) => c / 255)
    .map((c) => c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4)
    .reduce((sum, c, i) => sum + c * [0.2126, 0.7152, 0.0722][i], 0);
  const texts = [];
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walker.nextNode()) {
    const one = walker.currentNode.parentElement;
    if (!walker.currentNode.data.trim() || one.closest("script, title, option")) continue;
    if (!one.checkVisibility({visibilityProperty: true})) continue;
    const style = getComputedStyle(one);
    const under = behind(one);
    const ink = over(rgba(one.closest("svg") ? style.fill : style.color), under);
    const [high, low] = [light(ink), light(under)].sort((a, b) => b - a);
    texts.push([walker.currentNode.data.trim().slice(0, 60), (high + 0.05) / (low + 0.05)]);
  }
  return texts;
}"""


@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize("job", JOBS)
def test_every_text_stands_out_from_its_ground(visit: Visitor, job: str, scheme: str) -> None:
    page = visit(job, 900, scheme).page
    contrasts: list[tuple[str, float]] = page.evaluate(CONTRASTS)
    assert len(contrasts) > 40
    assert [one for one in contrasts if one[1] < 4.5] == []


def test_the_open_pictures_texts_stand_out(visit: Visitor) -> None:
    page = visit("sailed").page
    page.locator("[data-zoom]").first.click()
    contrasts = page.evaluate(CONTRASTS)
    assert any(text == "Full picture" for text, _ in contrasts)
    assert [one for one in contrasts if one[1] < 4.5] == []


@pytest.mark.parametrize(
    ("job", "width", "scheme"),
    [
        *((job, 900, scheme) for job in JOBS for scheme in SCHEMES),
        *((job, width, "light") for job in ("sailed", "hostile") for width in (390, 1600)),
    ],
)
def test_axe_finds_nothing(visit: Visitor, job: str, width: int, scheme: str) -> None:
    page = visit(job, width, scheme, bypass_csp=True).page  # axe is a script from outside
    assert _faults(page) == []
    if page.locator("[data-zoom]").count():
        page.locator("[data-zoom]").first.click()
        assert _faults(page) == []


def _faults(page: Any) -> list[str]:
    found = Axe().run(page).response["violations"]
    return [f"{one['id']}: {json.dumps([n['html'] for n in one['nodes']])[:500]}" for one in found]


def test_what_has_the_focus_can_be_seen(visit: Visitor) -> None:
    page = visit("running").page
    seen = []
    for _ in range(40):
        page.keyboard.press("Tab")
        state = page.evaluate("""() => {
          const one = document.activeElement, style = getComputedStyle(one);
          const box = one.getBoundingClientRect();
          return [one === document.body, one.tagName + (one.id && "#" + one.id),
                  parseFloat(style.outlineWidth), style.outlineStyle,
                  box.width > 1 && box.bottom > 0 && box.top < innerHeight];
        }""")
        if state[0]:
            break
        seen.append(state[1])
        assert state[2] >= 2, state
        assert state[3] != "none", state
        assert state[4], state
    assert seen[0] == "A"
    assert {"SELECT#label", "INPUT#score"} <= set(seen)


def test_the_first_key_leads_past_the_head(visit: Visitor) -> None:
    page = visit("sailed").page
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    assert page.evaluate("document.activeElement.id") == "main"


def test_each_place_in_the_list_of_sections_exists(visit: Visitor) -> None:
    page = visit("sailed", 390).page
    links = page.get_by_role("navigation").get_by_role("link")
    assert links.count() == 5
    for link in links.all():
        link.click()
        place = (link.get_attribute("href") or "").removeprefix("#")
        assert page.locator(f"#{place}").evaluate("one => one.getBoundingClientRect().top") >= 0
        page.evaluate("scrollTo(0, 0)")
