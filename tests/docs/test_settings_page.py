from pathlib import Path

from config.reference import settings_reference

PAGE = Path(__file__).parents[2] / "docs" / "settings.md"


def test_the_settings_page_is_what_the_settings_say() -> None:
    assert PAGE.read_text(encoding="utf-8") == settings_reference(), (
        "stale: run `python -m config.reference > docs/settings.md`"
    )
