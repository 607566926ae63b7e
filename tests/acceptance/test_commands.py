"""The commands beside a running `regatta up`, each typed in a terminal of its own."""

import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from core.states import ShardState
from store.locations import open_store
from tests.acceptance.fleet import Fleet
from tests.acceptance.outcome import Outcome, outcome
from tests.acceptance.pictures import COUNT
from tests.acceptance.terminal import Command, Terminal
from tests.databases import SqliteDatabases

SHAPE = ("--shard-items", "6", "--batch-size", "4")


@dataclass(frozen=True, slots=True)
class Up:
    """A home in which `regatta up` runs."""

    fleet: Fleet
    terminal: Terminal
    command: Command


def start_up(fleet: Fleet) -> Up:
    terminal = Terminal(fleet)
    return Up(fleet, terminal, terminal.up())


@pytest.fixture(scope="module")
def up(tmp_path_factory: pytest.TempPathFactory, sqlite_databases: SqliteDatabases) -> Iterator[Up]:
    fleet = Fleet(tmp_path_factory.mktemp("up") / "home", sqlite_databases.new)
    up = start_up(fleet)
    yield up
    up.terminal.close()
    fleet.close()


def test_a_job_with_broken_files_is_watched_looked_at_mended_and_retried(
    up: Up, tmp_path: Path, pictures: Path, model: Path
) -> None:
    source = tmp_path / "data"
    shutil.copytree(pictures, source)
    (source / "02.jpg").write_bytes(b"no picture")
    watched = up.terminal.run("submit", source, "--model", model, *SHAPE, "--watch")
    assert watched.code == 3, watched.err
    job = watched.out.strip()

    status = up.terminal.run("status", job[:6], "--format", "json").object
    assert (status["id"], status["state"]) == (job, "partial")
    expected = dict.fromkeys(("skipped", "cancelled", "pending"), 0)
    expected |= {"listed": COUNT, "succeeded": COUNT - 1, "quarantined": 1}
    assert status["items"] == expected
    quarantined = up.terminal.run("quarantine", "list", job, "--format", "ndjson").objects
    assert [row["item"] for row in quarantined] == ["02.jpg"]
    assert quarantined[0]["reason"].startswith("not_an_image")
    results = up.terminal.run("results", job, "--format", "ndjson").objects
    assert results == outcome(up.fleet, job).rows
    assert job in {row["id"] for row in up.terminal.run("jobs", "--format", "ndjson").objects}

    shutil.copy2(pictures / "02.jpg", source)
    assert up.terminal.run("quarantine", "retry", job).code == 0
    up.fleet.until_ended(job)
    assert outcome(up.fleet, job).state == "succeeded"
    assert [shard.attempt for shard in up.fleet.shards(job)] == [2, 1, 1, 1]


def test_a_job_is_paused_resumed_and_made_urgent(
    up: Up, pictures: Path, model: Path, undisturbed: Outcome
) -> None:
    up.fleet.close_gate()
    job = up.terminal.run("submit", pictures, "--model", model, *SHAPE).out.strip()
    up.fleet.until_held()
    assert up.terminal.run("pause", job).code == 0
    up.fleet.open_gate()
    busy = (ShardState.QUEUED, ShardState.RUNNING)
    up.fleet.until(lambda: not up.fleet.shards(job, *busy), "nothing runs any more")
    assert up.terminal.run("priority", job, "9").code == 0
    assert up.terminal.run("resume", job).code == 0
    assert outcome(up.fleet, job) == undisturbed
    assert up.fleet.job(job).priority == 9


def test_a_job_that_is_cancelled_tells_its_watcher(up: Up, pictures: Path, model: Path) -> None:
    up.fleet.close_gate()
    watcher = up.terminal.start("submit", pictures, "--model", model, *SHAPE, "--watch")
    up.fleet.until_held()
    job = watcher.out.strip()
    assert up.terminal.run("cancel", job).code == 0
    up.fleet.open_gate()
    assert watcher.end().code == 4
    assert outcome(up.fleet, job).state == "cancelled"
    assert up.fleet.tally(job).cancelled > 0


def test_a_job_whose_model_is_damaged_fails(
    up: Up, tmp_path: Path, pictures: Path, model: Path
) -> None:
    changed = tmp_path / "model"
    shutil.copytree(model, changed)
    up.fleet.close_gate()
    # It waits behind another job, so that there is time to damage its model.
    first = up.terminal.run("submit", pictures, "--model", model, *SHAPE).out.strip()
    up.fleet.until_held()
    command = ("submit", pictures, "--model", changed, "--watch", *SHAPE)
    (changed / "model.pdiparams").write_bytes(b"other weights")
    watcher = up.terminal.start(*command)
    up.fleet.until(lambda: "\n" in watcher.out, "the job is submitted")
    (changed / "model.pdiparams").write_bytes(b"damaged weights")
    up.fleet.open_gate()
    failed = watcher.end()
    assert failed.code == 1
    up.fleet.until_ended(first)
    status = up.terminal.run("status", failed.out.strip(), "--format", "json").object
    assert "is not the one this job was submitted with" in status["error"]
    assert status["items"]["pending"] == 0


def test_what_runs_when_the_stack_stops_is_handed_back(
    fleet: Fleet, pictures: Path, model: Path, undisturbed: Outcome
) -> None:
    up = start_up(fleet)
    try:
        fleet.close_gate()
        job = up.terminal.run("submit", pictures, "--model", model, *SHAPE).out.strip()
        fleet.until_held()
        up.command.press_ctrl_c()
        fleet.until(lambda: "handed back" in up.command.err, "the stack stops")
        fleet.open_gate()
        assert up.command.end().code == 130
        assert fleet.processes("worker") == []
        assert fleet.shards(job, ShardState.RUNNING) == []
        up.terminal.start("up")
        assert outcome(fleet, job) == undisturbed
        assert {shard.tries for shard in fleet.shards(job)} == {1}
    finally:
        up.terminal.close()


def test_a_folder_without_pictures_is_no_success(up: Up, tmp_path: Path, model: Path) -> None:
    source = tmp_path / "films"
    source.mkdir()
    for name in ("1.mp4", "2.mp4", ".hidden.jpg", "notes.txt"):
        (source / name).touch()
    why = "nothing to do: 4 entries, 2 videos, 1 hidden, 1 that is no picture"
    ran = up.terminal.run("run", source, "--model", model, "--format", "table")
    assert (ran.code, ran.out.count(why)) == (1, 1)
    assert "films/results" not in ran.out
    assert "regatta results" not in ran.out
    status = up.terminal.run("status", "latest", "--format", "json").object
    assert (status["state"], status["error"]) == ("failed", why)


def annotated(output: str) -> dict[str, bytes]:
    store = open_store(output)
    return {info.key: store.get(info.key) for info in store.list("annotated/")}


def test_several_sources_are_one_job(up: Up, tmp_path: Path, pictures: Path, model: Path) -> None:
    for place, names in {"a/day": ["00.jpg", "01.png"], "b/day": ["02.jpg"]}.items():
        (tmp_path / place).mkdir(parents=True)
        for name in names:
            shutil.copy2(pictures / name, tmp_path / place)
    (tmp_path / "a/day/gone.jpg").symlink_to("nowhere")
    (tmp_path / "all.txt").write_text("a/day/00.jpg\nmissing.jpg\na/day/00.jpg\n")
    sources = (tmp_path / "a/day", tmp_path / "b/day", pictures / "03.png", tmp_path / "all.txt")
    ran = up.terminal.run("run", *sources, "--model", model, "--format", "json")
    assert ran.code == 3, ran.err
    job = ran.object
    assert job["source"] == [f"{tmp_path}/a/day/", f"{tmp_path}/b/day/", *map(str, sources[2:])]
    assert job["passed_over"] == {"dangling link": 1, "named twice": 1}
    rows = up.terminal.run("results", job["id"], "--format", "ndjson").objects
    items = ["day/00.jpg", "day/01.png", "day-2/02.jpg", "03.png", "all.txt/a/day/00.jpg"]
    assert [row["item"] for row in rows] == [*items, "all.txt/missing.jpg"]
    assert rows[-1]["reason"] == f"source_missing: missing.jpg: not found in {tmp_path}"
    drawn = up.terminal.run("redraw", job["id"], "--format", "json").object
    before, after = annotated(job["output"]), annotated(drawn["output"])
    assert len(before) == len(items)
    assert before == after
