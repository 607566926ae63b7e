"""Every reason that an item can be quarantined for has its line in docs/results.md."""

import re
from pathlib import Path

from core.reasons import OF_DRAWING, TRANSIENT

ROOT = Path(__file__).parents[2]
RAISED = re.compile(
    r'BadInputError\(\s*"(\w+)"|(?:quarantine|Failure)\([^"\n]*"(\w+)"|\breason = f"(\w+): |'
    r'\breason = "(\w+)" if \w+ else "(\w+)"'
)
LINE = re.compile(r"^\| `(\w+)` \|", re.MULTILINE)


def raised() -> set[str]:
    packages = ("core", "scheduler", "store", "vision", "worker")
    files = [path for package in packages for path in (ROOT / package).rglob("*.py")]
    found = (RAISED.findall(path.read_text(encoding="utf-8")) for path in files)
    return {reason for matches in found for match in matches for reason in match if reason}


def test_the_page_lists_exactly_the_reasons_in_the_code() -> None:
    page = (ROOT / "docs" / "results.md").read_text(encoding="utf-8")
    section = page.partition("\n## Reasons\n")[2].partition("\n## ")[0]

    assert sorted(LINE.findall(section)) == sorted(raised())


def test_the_page_lists_the_reasons_that_pass() -> None:
    page = (ROOT / "docs" / "new-only.md").read_text(encoding="utf-8")
    said = page.partition("These reasons for quarantine")[2].partition("\n\n")[0]
    assert set(re.findall(r"`(\w+)`", said)) == TRANSIENT
    assert raised() > TRANSIENT | OF_DRAWING
