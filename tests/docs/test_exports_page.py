import re
from pathlib import Path

from annotations.formats import FORMATS

PAGE = Path(__file__).parents[2] / "docs/export.md"


def test_the_page_has_a_command_for_every_format_and_its_single_files() -> None:
    text = PAGE.read_text("utf-8")
    rows = re.findall(r"^\| [^|]+ \| (`--to \w+.*?) \|", text, re.MULTILINE)
    named = {row.split()[1]: row for row in reversed(rows)}
    assert named.keys() == FORMATS.keys()
    for name, form in FORMATS.items():
        assert ("FILE" in named[name]) == bool(form.suffixes)
        assert not form.suffixes or f"FILE{form.suffixes[0]}" in named[name]
