"""The README's commands, typed one after another by a newcomer."""

import re
import shlex
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from cli.stack.home import Home, read_state
from sample.dataset import dataset_at
from sample.shipped import DETECTOR
from tests.acceptance.fleet import Fleet
from tests.acceptance.terminal import Terminal

README = Path(__file__).parents[2] / "README.md"
BLOCK = re.compile(r"^```sh\n(.*?)^```", re.MULTILINE | re.DOTALL)

ENDED_WELL = 0
WITH_QUARANTINE = 3


def commands(heading: str) -> list[list[str]]:
    """The words of each `regatta` line below a heading."""
    section = README.read_text(encoding="utf-8").partition(f"\n## {heading}\n")[2]
    blocks = BLOCK.findall(section.partition("\n## ")[0])
    lines = [line for block in blocks for line in block.splitlines()]
    return [shlex.split(line)[1:] for line in lines if line.startswith("regatta ")]


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return dataset_at(tmp_path_factory.mktemp("readme") / "dataset", 10).folder


@pytest.fixture
def terminal(fleet: Fleet, dataset: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Terminal]:
    """A terminal in a folder with the newcomer's photographs and model."""
    monkeypatch.setenv("BROWSER", "true")  # a browser that shows nothing and is content
    shutil.copytree(dataset / "race-1", fleet.folder / "photos")
    shutil.copytree(DETECTOR, fleet.folder / "models" / "picodet_xs_320_coco_lcnet")
    terminal = Terminal(fleet, ENGINES="paddle")
    yield terminal
    terminal.close()


def test_the_first_job_on_own_data(terminal: Terminal, fleet: Fleet) -> None:
    run, *others = commands("Your own data")

    assert terminal.run(*run).code == WITH_QUARANTINE
    for words in others:
        ended = terminal.run(*words)
        assert ended.code == ENDED_WELL, f"{words}: {ended.err}"
    assert "broken-0.jpg" in ended.out
    assert list(fleet.folder.glob("outputs/*/report.html"))


def test_a_stack_in_one_terminal_and_jobs_in_another(terminal: Terminal, fleet: Fleet) -> None:
    up, *others = commands("Jobs")
    terminal.start(*up)
    fleet.until(lambda: read_state(Home(fleet.folder).state), "the stack runs")

    for words in others:
        ended = terminal.run(*words)
        watched = words[0] == "status"
        assert ended.code == (WITH_QUARANTINE if watched else ENDED_WELL), f"{words}: {ended.err}"
    assert len(list((fleet.folder / "out/photos/annotated").glob("*.jpg"))) == 10
