"""The commands in the documentation exist and take the options that are shown."""

import re
import shlex
from pathlib import Path

import click
import pytest

from cli.main import cli

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
BLOCK = re.compile(r"^```sh\n(.*?)^```", re.MULTILINE | re.DOTALL)
TARGET = re.compile(r"^([a-z-]+):", re.MULTILINE)
ASSIGNMENT = re.compile(r"\w+=")
BY_THE_SHELL = [". .venv/bin/activate"]


def lines(page: Path) -> list[str]:
    blocks = BLOCK.findall(page.read_text(encoding="utf-8"))
    return [line for block in blocks for line in block.splitlines() if line.strip()]


def check(line: str) -> None:
    """Raise what the command line says against a command, without running it."""
    words = shlex.split(line, comments=True)
    while words and ASSIGNMENT.match(words[0]):
        words.pop(0)
    if words[0] == "make":
        targets = TARGET.findall((ROOT / "Makefile").read_text(encoding="utf-8"))
        assert set(words[1:]) <= set(targets), line
    elif words[0] == "regatta":
        name, *arguments = words
        command: click.Command = cli
        context = click.Context(cli, **cli.context_settings)
        while isinstance(command, click.Group):
            name, found, arguments = command.resolve_command(context, arguments)
            assert name is not None
            assert found is not None
            command = found
        command.make_context(name, arguments, parent=context)
    else:
        assert line in BY_THE_SHELL


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_documented_commands_are_accepted(page: Path) -> None:
    for line in lines(page):
        check(line)


def test_the_readme_sets_up_and_runs() -> None:
    shown = lines(ROOT / "README.md")

    assert shown[0] == "make install"
    assert any(line.startswith("regatta run ") for line in shown)


@pytest.mark.parametrize(
    "line", ["regatta rum photos/", "regatta run photos/ --modle m", "regatta jobs --limit x"]
)
def test_a_wrong_command_would_be_noticed(line: str) -> None:
    with pytest.raises(click.UsageError):
        check(line)


def test_links_between_pages_lead_somewhere() -> None:
    for page in PAGES:
        for link in re.findall(r"\]\(([^)#]+)[^)]*\)", page.read_text(encoding="utf-8")):
            if "://" not in link:
                assert (page.parent / link).exists(), f"{page.name}: {link}"
