"""The table of image formats in docs/jobs.md is the one in the code."""

import re
from pathlib import Path

from core.formats import FORMATS, READ, Format

ROOT = Path(__file__).parents[2]


def line(one: Format) -> str:
    return f"| {one.name} | {', '.join(f'`{suffix}`' for suffix in one.suffixes)} |"


def test_the_page_lists_the_formats_that_are_read_and_names_the_others() -> None:
    page = (ROOT / "docs" / "jobs.md").read_text(encoding="utf-8")
    section = page.partition("\n## Image formats\n")[2].partition("\n## ")[0]
    table = re.findall(r"^\| [A-Z].*\|$", section, re.MULTILINE)
    assert table == [line(one) for one in READ]
    unread = ", ".join(one.name for one in FORMATS if not one.is_read)
    assert unread in " ".join(section.split())
