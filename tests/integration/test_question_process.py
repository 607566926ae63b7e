"""Comparisons in a process that may hang or die, with real processes."""

import multiprocessing
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from core.errors import FatalError
from core.options import ModelRef
from core.profile import ExecutionProfile
from core.ways import Way
from core.work import Directive
from tests.integration.precarious import OFFER
from tests.workshop import new_run, work_unit, write_item, write_model
from worker.recipes.recipe import WHOLE
from worker.run import StoppedError
from worker.ways.comparison import Comparison
from worker.ways.question import Question, SamplePictures, ShardPictures
from worker.ways.question_process import ask_in_process

PROFILE = ExecutionProfile.of(OFFER, batch_size=1, jpeg_quality=90)
PICTURES = SamplePictures("detect")
Ask = Callable[[str], Comparison]


@pytest.fixture
def model(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ModelRef:
    monkeypatch.setenv("REGATTA_ENGINES", "tests.integration.precarious")
    monkeypatch.setenv("REGATTA_HOME", str(tmp_path / "home"))
    return write_model(tmp_path / "model")


@pytest.fixture
def question(model: ModelRef) -> Question:
    return Question(model, WHOLE, PROFILE)


@pytest.fixture
def ask(question: Question, monkeypatch: pytest.MonkeyPatch) -> Ask:
    def asked(told: str) -> Comparison:
        monkeypatch.setenv("PRECARIOUS", told)
        return ask_in_process(question, PICTURES, seconds=120.0)  # a busy machine is slow

    return asked


def test_the_answer_of_the_child(ask: Ask) -> None:
    found = ask("onednn=wrong")
    assert found.way is Way.ONEDNN_UNPLACED
    assert found.why.startswith("compared on 4 pictures: ")
    assert found.report["tried"]["onednn"]["wrong"] == "differs: boxes 1"


def test_a_way_that_ends_its_process_is_wrong_and_the_next_one_is_tried(ask: Ask) -> None:
    found = ask("onednn=abort")
    assert found.way is Way.ONEDNN_UNPLACED
    assert found.report["tried"]["onednn"]["wrong"] == "ends its process: SIGABRT"
    found = ask("onednn=wrong,onednn_unplaced=abort")
    assert found.way is Way.PLAIN
    assert found.why == "onednn_unplaced: ends its process: SIGABRT; onednn: differs: boxes 1"


def test_what_kills_from_outside_proves_nothing(ask: Ask) -> None:
    assert ask("onednn=kill") == Comparison(None, "the process that compared died: SIGKILL")


def test_nor_does_a_plain_run_that_ends_its_process(ask: Ask) -> None:
    assert ask("plain=abort") == Comparison(None, "the process that compared died: SIGABRT")


def test_what_takes_too_long_is_ended(question: Question, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PRECARIOUS", "plain=hang")
    begun = time.monotonic()
    found = ask_in_process(question, PICTURES, seconds=1.0)
    assert found == Comparison(None, "not compared within 1 s")
    assert time.monotonic() - begun < 20
    assert multiprocessing.active_children() == []


def test_a_run_that_is_stopped_does_not_wait(
    model: ModelRef, question: Question, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PRECARIOUS", "plain=hang")
    item = write_item(tmp_path / "source", 7)
    unit = work_unit(model, source=tmp_path / "source", output=tmp_path, frozen_profile=PROFILE)
    run = new_run(unit)
    threading.Timer(0.5, lambda: run.stop(Directive.HAND_BACK)).start()
    with pytest.raises(StoppedError):
        ask_in_process(question, ShardPictures(unit, (item,)), run.check)


def test_the_pictures_of_a_shard(
    model: ModelRef, question: Question, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PRECARIOUS", "plain=fine")
    items = [write_item(tmp_path / "source", number, size=(90, 60)) for number in range(3)]
    (tmp_path / "source" / "001.png").write_bytes(b"nothing")
    unit = work_unit(model, source=tmp_path / "source", output=tmp_path, frozen_profile=PROFILE)
    found = ask_in_process(question, ShardPictures(unit, tuple(items)))
    assert (found.way, found.report["pictures"]) == (Way.ONEDNN, 2)


def test_errors_cross_the_border(question: Question, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PRECARIOUS", "plain=fine")
    gone = replace(question.model, digest="0" * 64)
    with pytest.raises(FatalError, match="not the one") as refused:
        ask_in_process(replace(question, model=gone), PICTURES)
    assert refused.value.hint
