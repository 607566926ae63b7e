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
from tests.web import Page, Web, files_in, tar_of

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


def not_photos(scenes: Path) -> set[str]:
    """Return all but a few of the names: other files are broken than in the scenes."""
    names = sorted(path.name for path in scenes.iterdir())
    broken = [name for name in names if name.startswith("broken-")]
    sound = [name for name in names if name not in broken]
    return {"broken-0.jpg", *sound[4:]}


@pytest.fixture
def terminal(fleet: Fleet, monkeypatch: pytest.MonkeyPatch, web: Web) -> Iterator[Terminal]:
    """A terminal in an empty folder, whose catalogue is a mirror on this machine."""
    monkeypatch.setenv("BROWSER", "true")  # a browser that shows nothing and is content
    packed = tar_of(files_in(DETECTOR, "PicoDet-S_infer/"))
    web.pages["/paddle3.0.0/PicoDet-S_infer.tar"] = Page(packed)
    terminal = Terminal(fleet, ENGINES="paddle", CATALOGUE_URL=f"{web.url}/paddle3.0.0")
    yield terminal
    terminal.close()


@pytest.mark.proof
def test_the_first_jobs(terminal: Terminal, fleet: Fleet) -> None:
    """First on drawn scenes, then on the newcomer's photographs with a model from the catalogue."""
    sample, run, results, *others, pull, again = commands("Your own data")
    assert terminal.run(*sample).code == ENDED_WELL
    scenes = fleet.folder / "trial" / "scenes" / "race-1"
    shutil.copytree(scenes, fleet.folder / "photos", ignore=lambda *_: not_photos(scenes))

    assert terminal.run(*run).code == WITH_QUARANTINE
    for words in (results, *others, pull):
        ended = terminal.run(*words)
        assert ended.code == ENDED_WELL, f"{words}: {ended.err}"
        assert words[0] != "quarantine" or "broken-0.jpg" in ended.out
    assert list(fleet.folder.glob("outputs/*/report.html"))
    assert terminal.run(*again).code == WITH_QUARANTINE
    assert "broken-0.jpg" not in terminal.run("quarantine", "list", "latest").out


@pytest.mark.proof
def test_a_stack_in_one_terminal_and_jobs_in_another(terminal: Terminal, fleet: Fleet) -> None:
    dataset_at(fleet.folder / "trial", 10)
    up, *others = commands("Jobs")
    terminal.start(*up)
    fleet.until(lambda: read_state(Home(fleet.folder).state), "the stack runs")

    for words in others:
        ended = terminal.run(*words)
        watched = words[0] == "status"
        assert ended.code == (WITH_QUARANTINE if watched else ENDED_WELL), f"{words}: {ended.err}"
    assert len(list((fleet.folder / "out/trial/annotated/race-1").iterdir())) == 8
