"""`regatta run`: everything from one command, whatever happens to it."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from cli.stack.home import Home, read_state
from tests.acceptance.fleet import Fleet
from tests.acceptance.outcome import Outcome, outcome
from tests.acceptance.terminal import Terminal

SHAPE = ("--shard-items", "6", "--batch-size", "4")
ABORTS = "09.png"


@pytest.fixture
def terminal(fleet: Fleet) -> Iterator[Terminal]:
    terminal = Terminal(fleet)
    yield terminal
    terminal.close()


def test_an_interrupted_run_goes_on_where_it_was(
    fleet: Fleet, terminal: Terminal, pictures: Path, model: Path, undisturbed: Outcome
) -> None:
    fleet.close_gate()
    command = terminal.start("run", pictures, "--model", model, *SHAPE)
    fleet.until_held()
    command.press_ctrl_c()
    fleet.until(lambda: "handed back" in command.err, "the command has heard")
    fleet.open_gate()
    interrupted = command.end()
    assert interrupted.code == 130
    job = terminal.run("status", "latest", "--format", "json").object
    assert job["state"] == "paused"
    assert f"regatta run --resume {job['id']}" in interrupted.err
    fleet.until(lambda: not _lives(fleet), "the stack has stopped")

    resumed = terminal.run("run", "--resume", job["id"])
    assert resumed.code == 0, resumed.err
    assert outcome(fleet, job["id"]) == undisturbed
    assert {shard.tries for shard in fleet.shards(job["id"])} == {1}


def _lives(fleet: Fleet) -> bool:
    state = read_state(Home(fleet.folder).state)
    processes = () if state is None else (state.keeper, *state.children.values())
    return any(process.lives for process in processes)


def test_a_run_outlives_an_item_that_kills_its_worker(
    fleet: Fleet, pictures: Path, model: Path, undisturbed: Outcome
) -> None:
    terminal = Terminal(fleet, STANDIN_ARMED="abort")
    try:
        ended = terminal.run("run", pictures, "--model", model, *SHAPE)
        assert ended.code == 3, ended.err
        assert f"{ABORTS}: killed_process" in ended.out
        job = terminal.run("status", "latest", "--format", "json").object
    finally:
        terminal.close()
    whole = outcome(fleet, job["id"])
    assert whole.reasons == {ABORTS: "killed_process"}
    assert [row for row in whole.rows if row["item"] != ABORTS] == [
        row for row in undisturbed.rows if row["item"] != ABORTS
    ]


def test_an_unfit_model_is_refused_before_anything_starts(
    fleet: Fleet, terminal: Terminal, tmp_path: Path, pictures: Path
) -> None:
    (tmp_path / "model").mkdir()
    ended = terminal.run("run", pictures, "--model", tmp_path / "model")
    assert ended.code == 2
    assert ended.out == ""
    assert "error:" in ended.err
    assert "hint:" in ended.err
    assert "Traceback" not in ended.err
    assert read_state(Home(fleet.folder).state) is None
    assert terminal.run("jobs", "--format", "ndjson").out == ""
