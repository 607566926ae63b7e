"""`regatta demo`, as a newcomer runs it."""

import json
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import unquote, urlparse

import pytest

from sample.shipped import DETECTOR
from tests.acceptance.fleet import Fleet
from tests.acceptance.terminal import Terminal

SCENES = 12


@pytest.fixture
def terminal(fleet: Fleet) -> Iterator[Terminal]:
    terminal = Terminal(fleet, ENGINES="paddle")
    yield terminal
    terminal.close()


def test_the_demo_goes_as_planned_and_leaves_a_report(terminal: Terminal) -> None:
    ended = terminal.run("demo", "--scenes", str(SCENES))

    assert ended.code == 0, ended.out + ended.err
    assert "As planned: 12 pictures have results" in ended.out
    assert "race-1/broken-0.jpg: truncated" in ended.out
    report = Path(unquote(urlparse(ended.out.rpartition("Report: ")[2].strip()).path))
    page = report.read_text()
    assert "rowing boat" in page
    assert "broken-4.png" in page
    assert len(list((report.parent / "annotated").rglob("*.jpg"))) == SCENES


@pytest.mark.parametrize(
    ("task", "truth"),
    [
        ("segment", "of the pixels are right"),
        pytest.param(
            "classify",
            "Truth: the weather of 12 of 12 pictures is right",
            marks=pytest.mark.proof,
        ),
        pytest.param("keypoint", "their joints are", marks=pytest.mark.proof),
        pytest.param("ocr", "of them were read right", marks=pytest.mark.proof),
    ],
)
def test_the_demo_shows_other_tasks(paddle_terminal: Terminal, task: str, truth: str) -> None:
    ended = paddle_terminal.run("demo", "--task", task, "--scenes", str(SCENES))

    assert ended.code == 0, ended.out + ended.err
    assert truth in ended.out
    assert "As planned: 12 pictures have results" in ended.out


def test_a_demo_that_does_not_go_as_planned_says_so(paddle_terminal: Terminal) -> None:
    command = ("demo", "--scenes", str(SCENES), "--seed", "1")
    assert paddle_terminal.run(*command).code == 0
    place = paddle_terminal.home / "demo" / f"{SCENES}-scenes-seed-1"
    (place / "scenes" / "race-1" / "0000.jpg").write_bytes(b"overwritten")
    truth = json.loads((place / "truth.json").read_text())
    for annotation in truth["annotations"]:
        annotation["bbox"][0] += 100_000
    (place / "truth.json").write_text(json.dumps(truth))

    ended = paddle_terminal.run(*command)
    assert ended.code == 1
    assert "11 of 12 sound pictures have results" in ended.out
    assert "race-1/0000.jpg: expected a result, got not_an_image" in ended.out
    assert "only 0% of the things were found" in ended.out


def test_the_shipped_model_says_what_it_is(terminal: Terminal) -> None:
    added = terminal.run("models", "add", "sample", DETECTOR, "--task", "detect")
    assert added.code == 0, added.err
    card = terminal.run("models", "show", "sample", "--format", "json").object
    assert card["labels"] == ["rowing boat", "rower", "sailing boat", "buoy", "gull"]
    assert (DETECTOR / "README.md").exists()
