import importlib
import os
import subprocess
import sys

import click
import pytest
from click.testing import CliRunner

from cli.main import COMMANDS, cli
from core.states import JobMoves
from store.jobs import move_job
from store.parts import encode_rows
from tests.bench import Bench
from tests.unit.cli.conftest import Regatta
from tests.unit.cli.test_results import found

HEAVY = ("pydantic", "sqlalchemy", "rich", "pyarrow", "celery", "numpy", "cv2", "paddle")


def commands() -> list[tuple[str, click.Command]]:
    found: list[tuple[str, click.Command]] = []
    for name, (module, _) in COMMANDS.items():
        command = getattr(importlib.import_module(module), name)
        found.append((name, command))
        if isinstance(command, click.Group):
            found += [(f"{name} {sub}", each) for sub, each in command.commands.items()]
    return found


@pytest.mark.parametrize(("name", "command"), commands())
def test_help_ends_with_an_example_of_the_command(name: str, command: click.Command) -> None:
    result = CliRunner().invoke(cli, [*name.split(), "--help"])
    assert result.exit_code == 0
    last = " ".join(result.output.strip().split("\n\n")[-1].split())
    assert last.startswith("Example: ")
    assert f"regatta {name}" in last


def test_the_overview_names_every_command_without_importing_any() -> None:
    code = (
        "import sys; from regatta import main; sys.argv = ['regatta', '--help']\n"
        "try: main()\nexcept SystemExit as end: assert end.code == 0\n"
        f"loaded = [name for name in {HEAVY!r} if name in sys.modules]\n"
        "assert not loaded, loaded"
    )
    result = subprocess.run(
        [sys.executable, "-P", "-c", code], capture_output=True, text=True, check=False
    )
    assert result.returncode == 0, result.stderr
    for name in COMMANDS:
        assert f"  {name} " in result.stdout


def test_a_command_starts_without_what_it_does_not_use_and_the_collector_works_again() -> None:
    code = (
        "import gc, sys; from regatta import main; sys.argv = ['regatta', 'status', '--help']\n"
        "try: main()\nexcept SystemExit as end: assert end.code == 0\n"
        "unused = [n for n in ('rich', 'sqlalchemy.dialects.postgresql') if n in sys.modules]\n"
        "assert not unused, unused\n"
        "assert gc.isenabled()\n"
        "assert gc.get_freeze_count()"
    )
    result = subprocess.run(
        [sys.executable, "-P", "-c", code], capture_output=True, text=True, check=False
    )
    assert result.returncode == 0, result.stderr


@pytest.mark.parametrize(
    "words",
    [
        ["nonsense"],
        ["submit"],
        ["submit", "photos"],
        ["run"],
        ["status", "nothing"],
        ["jobs", "--limit", "0"],
        ["worker", "--queues", "detekt"],
        ["scheduler"],
    ],
)
def test_what_cannot_be_asked_is_said_with_a_hint(regatta: Regatta, words: list[str]) -> None:
    result = regatta(*words)
    assert result.exit_code == 2
    assert result.stdout == ""
    first, second = result.stderr.splitlines()
    assert first.startswith("error: ")
    assert second.startswith("hint: ")


def test_a_mistyped_command_is_answered_with_near_ones(regatta: Regatta) -> None:
    assert "'status'" in regatta("stauts").stderr
    assert "'list'" in regatta("models", "lst").stderr


def test_variables_that_are_no_settings_are_named(
    regatta: Regatta, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("REGATTA_SHARD_ITMES", "4")
    monkeypatch.setenv("REGATTA_ZZZ", "4")
    monkeypatch.setenv("REGATTA_PORT_6379_TCP", "tcp://10.0.0.1:6379")
    result = regatta("jobs", "--format", "json")
    assert (result.exit_code, result.stdout) == (0, "[]\n")
    first, second = result.stderr.splitlines()
    assert first == (
        "warning: REGATTA_SHARD_ITMES is no setting and has no effect; "
        "did you mean REGATTA_SHARD_ITEMS?"
    )
    assert second.startswith("warning: REGATTA_ZZZ is no setting")


def test_a_home_that_cannot_be_made_is_a_clear_error(
    regatta: Regatta, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("REGATTA_HOME", "/proc/nowhere")
    result = regatta("jobs")
    assert result.exit_code == 2
    assert "'/proc/nowhere' cannot be made" in result.stderr
    assert "set REGATTA_HOME" in result.stderr


def test_tracebacks_are_for_those_who_ask(
    regatta: Regatta, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("cli.failure.DEBUG", __import__("threading").Event())
    monkeypatch.setattr("cli.main.DEBUG", importlib.import_module("cli.failure").DEBUG)
    assert "Traceback" not in regatta("status", "nothing").stderr
    assert "Traceback" in regatta("--debug", "status", "nothing").stderr


def test_what_nobody_foresaw_is_one_line(regatta: Regatta, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(**_: object) -> None:
        raise ZeroDivisionError("oh\x1b[2J")

    monkeypatch.setattr("cli.jobs.opened", fail)
    result = regatta("jobs")
    assert result.exit_code == 1
    assert "ZeroDivisionError: oh\\x1b[2J" in result.stderr
    assert "Traceback" not in result.stderr


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_scripts_ask_regatta(regatta: Regatta, shell: str) -> None:
    result = regatta("completion", shell)
    assert result.exit_code == 0
    assert f"_REGATTA_COMPLETE={shell}_complete" in result.stdout


def test_an_interrupt_has_its_own_exit_code(
    regatta: Regatta, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt(**_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("cli.jobs.opened", interrupt)
    result = regatta("jobs")
    assert result.exit_code == 130
    assert "interrupted" in result.stderr


@pytest.mark.parametrize(
    ("words", "code"),
    [(["--help"], 0), (["results", "abc"], 0), (["status", "abc", "--watch"], 4)],
    ids=["help", "results", "job"],
)
def test_a_reader_that_has_seen_enough_is_no_failure(
    bench: Bench, words: list[str], code: int
) -> None:
    """As in `regatta results latest | head`; a command that waits for a job has that one's code."""
    bench.job("abc", [1])
    bench.commit(bench.run("abc"))
    for move in (JobMoves.CANCEL, JobMoves.END_CANCELLED):
        assert bench.db.write(lambda s, move=move: move_job(s, "abc", move))  # type: ignore[misc]
    bench.output("abc").put("_attempts/000000/1/part.parquet", encode_rows([found(0, "a.jpg")]))
    reading, writing = os.pipe()
    os.close(reading)
    result = subprocess.run(
        [sys.executable, "-P", "-c", "from regatta import main; main()", *words],
        env={**os.environ, "REGATTA_HOME": str(bench.root)},
        stdout=writing,
        stderr=subprocess.PIPE,
        text=True,
        check=False,
    )
    os.close(writing)
    assert result.returncode == code, result.stderr
    assert "error" not in result.stderr
    assert "Exception" not in result.stderr


def test_a_connection_that_breaks_is_a_failure(
    regatta: Regatta, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(**_: object) -> None:
        raise BrokenPipeError("the broker went away")

    monkeypatch.setattr("cli.jobs.opened", fail)
    monkeypatch.setattr("cli.main.is_reader_gone", lambda: False)
    result = regatta("jobs")
    assert result.exit_code == 1
    assert "BrokenPipeError: the broker went away" in result.stderr


def test_choices_are_named_in_one_line(regatta: Regatta) -> None:
    said = regatta("export", "latest", "there").stderr
    assert said.startswith("error: Missing option '--to'. Choose from: coco, yolo, voc, ")
