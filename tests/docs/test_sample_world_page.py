from pathlib import Path

import pytest

from sample.difficulty import page

PAGE = Path(__file__).parents[2] / "docs" / "sample-world.md"


@pytest.mark.proof
def test_the_page_about_the_sample_world_shows_the_world_as_it_is() -> None:
    assert PAGE.read_text(encoding="utf-8") == page(), "stale: run `make docs`"
