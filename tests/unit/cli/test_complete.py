import click
import pytest
from click.shell_completion import BashComplete

from cli import complete
from cli.main import cli
from tests.bench import Bench
from tests.unit.cli.conftest import Regatta

CONTEXT = click.Context(cli)
ARGUMENT = click.Argument(["word"])


def proposals(completer: complete.Completer, typed: str) -> list[tuple[str, str]]:
    return [(item.type, item.value) for item in completer(CONTEXT, ARGUMENT, typed)]


def test_jobs_by_id_and_name(bench: Bench, regatta: Regatta) -> None:
    bench.job("abc", [1], name="boats")
    assert ("plain", "abc") in proposals(complete.jobs, "a")
    assert proposals(complete.jobs, "boa") == [("plain", "boats")]
    assert proposals(complete.jobs, "lat") == [("plain", "latest")]
    assert proposals(complete.jobs, "out/") == [("file", "out/")]


def test_models_and_paths(bench: Bench, regatta: Regatta) -> None:
    assert ("plain", "regatta_rowers") in proposals(complete.models, "regatta_")
    assert proposals(complete.models, "./ex") == [("file", "./ex")]
    assert ("plain", "PicoDet-S") in proposals(complete.official_models, "picodet")


def test_which_pictures() -> None:
    assert proposals(complete.which_pictures, "s") == [("plain", "sample:1000")]
    assert len(proposals(complete.which_pictures, "")) == 3


def test_whatever_is_wrong_typing_goes_on(
    regatta: Regatta, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("REGATTA_LEASE_SECONDS", "no number")
    assert proposals(complete.jobs, "a") == [("file", "a")]
    monkeypatch.delenv("REGATTA_LEASE_SECONDS")
    monkeypatch.setenv("REGATTA_HOME", "/proc/nowhere")
    assert proposals(complete.jobs, "a") == [("file", "a")]


def test_the_shell_is_answered(regatta: Regatta, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COMP_WORDS", "regatta run --model regatta_ro")
    monkeypatch.setenv("COMP_CWORD", "3")
    answer = BashComplete(cli, {}, "regatta", "_REGATTA_COMPLETE").complete()
    assert answer == "plain,regatta_rowers"


def test_the_shell_is_answered_before_a_command_is_right(
    regatta: Regatta, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COMP_WORDS", "regatta rnu ")
    monkeypatch.setenv("COMP_CWORD", "2")
    answer = BashComplete(cli, {}, "regatta", "_REGATTA_COMPLETE").complete()
    assert "plain,run" in answer.splitlines()


def test_a_name_is_one_line_for_the_shell(bench: Bench, regatta: Regatta) -> None:
    bench.job("abc", [1], name="boats\nfile,/etc")
    assert proposals(complete.jobs, "boats") == [("file", "boats")]
