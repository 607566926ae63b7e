import json
from pathlib import Path
from typing import Any, Self

import pytest

from cli.stack.home import Home
from cli.up import Tail
from core.states import JobMoves, JobState
from store.jobs import find_job, move_job
from tests.bench import Bench
from tests.unit.cli.conftest import Regatta


class NoStack:
    """Stands in for the embedded stack: these tests are about what `run` makes of a job."""

    def __init__(self, *_: object) -> None:
        pass

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def ensure(self) -> None:
        pass


@pytest.fixture(autouse=True)
def _no_stack(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cli.work.Stack", NoStack)


def ends(bench: Bench, monkeypatch: pytest.MonkeyPatch, how: Any) -> None:
    """Let `how` happen to the newest job while `run` waits."""

    def happen(_seconds: float) -> None:
        job = bench.db.read(lambda s: find_job(s, "latest"))
        how(job.id)

    monkeypatch.setattr("cli.show.progress.time.sleep", happen)


def test_a_dry_run_starts_nothing(
    bench: Bench, regatta: Regatta, photos: Path, model: Path
) -> None:
    words = ["--model", str(model), "--dry-run", "--format", "json"]
    assert json.loads(regatta("run", str(photos), *words).stdout)["items"] == 3
    assert json.loads(regatta("jobs", "--format", "json").stdout) == []


def test_ends_with_a_summary_and_the_jobs_exit_code(
    bench: Bench, regatta: Regatta, photos: Path, model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(job: str) -> None:
        bench.db.write(lambda s: move_job(s, job, JobMoves.FAIL, error="cannot plan: no\x1bway"))
        bench.db.write(lambda s: move_job(s, job, JobMoves.END_FAILED, finished_at=1e9))

    ends(bench, monkeypatch, fail)
    result = regatta("run", str(photos), "--model", str(model))
    assert result.exit_code == 1
    assert ": failed\n" in result.stdout
    assert r"cannot plan: no\x1bway" in result.stdout
    assert "regatta retry" in result.stdout


def test_resume_goes_on_with_a_paused_job(
    bench: Bench, regatta: Regatta, monkeypatch: pytest.MonkeyPatch
) -> None:
    bench.job("abc", [], state=JobState.PAUSED, planned_at=1.0)
    ends(
        bench,
        monkeypatch,
        lambda job: bench.db.write(lambda s: move_job(s, job, JobMoves.SUCCEED, finished_at=1e9)),
    )
    result = regatta("run", "--resume", "abc", "--format", "json")
    assert result.exit_code == 0, result.stderr
    assert json.loads(result.stdout)["state"] == "succeeded"


def test_an_interrupt_pauses_and_says_how_to_go_on(
    bench: Bench, regatta: Regatta, photos: Path, model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt(_job: str) -> None:
        raise KeyboardInterrupt

    ends(bench, monkeypatch, interrupt)
    result = regatta("run", str(photos), "--model", str(model))
    assert result.exit_code == 130
    [job] = json.loads(regatta("jobs", "--format", "json").stdout)
    assert job["state"] == "paused"
    assert f"regatta run --resume {job['id']}" in result.stderr
    assert result.stdout == ""


def test_a_job_that_others_pause_lets_run_go(
    bench: Bench, regatta: Regatta, photos: Path, model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ends(
        bench,
        monkeypatch,
        lambda job: bench.db.write(lambda s: move_job(s, job, JobMoves.PAUSE)),
    )
    result = regatta("run", str(photos), "--model", str(model))
    assert result.exit_code == 130
    assert "was paused" in result.stderr


def test_an_ended_job_is_not_resumed(bench: Bench, regatta: Regatta) -> None:
    bench.job("abc", [1], state=JobState.PARTIAL)
    result = regatta("run", "--resume", "abc")
    assert result.exit_code == 2
    assert "`regatta retry abc`" in result.stderr


@pytest.mark.parametrize(
    "more", [["photos"], ["--dry-run"], ["--threshold", "0.3"], ["--no-annotate"]]
)
def test_resume_takes_nothing_that_it_would_not_heed(
    more: list[str], bench: Bench, regatta: Regatta
) -> None:
    bench.job("abc", [1], state=JobState.PAUSED)
    result = regatta("run", *more, "--resume", "abc")
    assert result.exit_code == 2
    assert "leave the rest out" in result.stderr
    assert bench.read_job("abc").state is JobState.PAUSED


def test_tails_print_whole_new_lines(tmp_path: Path) -> None:
    home = Home(tmp_path)
    home.logs.mkdir()
    home.log("worker").write_text("before\n")
    tail = Tail("worker", home)
    assert tail.news() == []
    with home.log("worker").open("a") as log:
        log.write("one\ntw")
        log.flush()
        assert tail.news() == ["one"]
        log.write("o\x1b[2J\n")
    assert tail.news() == ["two\x1b[2J"]
    home.log("worker").write_text("new\n")
    assert tail.news() == ["new"]
