from pathlib import Path

from cli.reference import cli_reference

PAGE = Path(__file__).parents[2] / "docs" / "cli.md"


def test_the_command_page_is_what_the_commands_say() -> None:
    assert PAGE.read_text(encoding="utf-8") == cli_reference(), "stale: run `make docs`"


def test_every_command_is_there_with_its_example() -> None:
    sections = cli_reference().split("\n## regatta")[1:]

    assert len(sections) > 20
    assert all("Example: " in section for section in sections)
