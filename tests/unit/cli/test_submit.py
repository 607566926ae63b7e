import json
from pathlib import Path
from typing import Any

import pytest

from core.states import JobMoves, JobState
from store.jobs import move_job
from store.processes import SCHEDULER
from tests.bench import Bench
from tests.unit.cli.conftest import Regatta


def submit(regatta: Regatta, photos: Path, model: Path, *words: str) -> str:
    result = regatta("submit", str(photos), "--model", str(model), *words)
    assert result.exit_code == 0, result.stderr
    return result.stdout.strip()


def test_stdout_is_the_job_id(bench: Bench, regatta: Regatta, photos: Path, model: Path) -> None:
    job = bench.read_job(submit(regatta, photos, model))
    assert job.state is JobState.PLANNING
    assert job.source == f"{photos}/"
    assert job.name == "photos"
    assert job.output == str(bench.root / "outputs" / job.id)
    assert job.options["batch_size"] is None
    assert [network["shapes"] for network in (job.networks or {}).values()] == ["shared"]


def test_json_if_asked_for(bench: Bench, regatta: Regatta, photos: Path, model: Path) -> None:
    words = ("submit", str(photos), "--model", str(model), "--name", "boats", "--format", "json")
    said = json.loads(regatta(*words).stdout)
    assert (said["name"], said["state"]) == ("boats", "planning")
    assert bench.read_job(said["id"]).name == "boats"


def test_options_reach_the_job(bench: Bench, regatta: Regatta, photos: Path, model: Path) -> None:
    words = ["--include", "*.jpg", "--exclude", "x*", "--exclude", "y*", "--min-size", "1kB"]
    words += ["--max-size", "1MiB", "--since", "1970-01-01T01:00+00:00", "--limit", "7"]
    words += ["--threshold", "0.25", "--no-annotate", "--priority", "9", "--tag", "night"]
    words += ["--shard-items", "3", "--batch-size", "2", "--name", "Möwen", "--output", "out"]
    job = bench.read_job(submit(regatta, photos, model, *words))
    assert job.selection == {
        "include": ["*.jpg"],
        "exclude": ["x*", "y*"],
        "min_size": 1000,
        "max_size": 1024**2,
        "since": 3600.0,
        "limit": 7,
    }
    options = job.options
    assert (options["threshold"], options["annotate"]) == (0.25, False)
    assert (options["shard_items"], options["batch_size"]) == (3, 2)
    assert (job.priority, job.tags, job.name) == (9, ["night"], "Möwen")
    assert job.output == str(bench.root / "out")


@pytest.mark.parametrize(
    ("words", "drawn"),
    [
        (["--annotate"], (True, None)),
        (["--annotate", "all"], (True, None)),
        (["--no-annotate"], (False, None)),
        (["--annotate", "None"], (False, None)),
        (["--annotate=none"], (False, None)),
        (["--annotate", "sample:1000"], (True, 1000)),
    ],
)
def test_pictures_of_all_of_none_or_of_a_sample(
    bench: Bench,
    regatta: Regatta,
    photos: Path,
    model: Path,
    words: list[str],
    drawn: tuple[bool, int | None],
) -> None:
    options = bench.read_job(submit(regatta, photos, model, *words)).options
    assert (options["annotate"], options.get("sample")) == drawn


def test_annotate_does_not_swallow_the_source(
    bench: Bench, regatta: Regatta, photos: Path, model: Path
) -> None:
    result = regatta("submit", "--model", str(model), "--annotate", str(photos))
    assert bench.read_job(result.stdout.strip()).options["annotate"] is True
    result = regatta("submit", "--model", str(model), str(photos), "--annotate=some")
    assert result.exit_code == 2
    assert "'some' is not all, none or sample:1000" in result.stderr


def test_classes_are_the_models_and_a_slip_is_named(
    bench: Bench, regatta: Regatta, photos: Path, model: Path
) -> None:
    words = ["--classes", "boat,buoy", "--redact", "boat"]
    options = bench.read_job(submit(regatta, photos, model, *words)).options
    assert (options["classes"], options["redact"]) == (["boat", "buoy"], ["boat"])
    result = regatta("submit", str(photos), "--model", str(model), "--classes", "baot")
    assert result.exit_code == 2
    assert "did you mean 'boat'?" in result.stderr


def test_says_that_nobody_schedules(
    bench: Bench, regatta: Regatta, photos: Path, model: Path
) -> None:
    result = regatta("submit", str(photos), "--model", str(model))
    assert "no scheduler is running" in result.stderr
    bench.clock.now = 1e12  # heard of just now, as far as anybody's clock can say
    bench.worker("s", role=SCHEDULER, slots=0, queues=(), offers=())
    result = regatta("submit", str(photos), "--model", str(model))
    assert result.stderr == ""


def test_a_dry_run_counts_and_leaves_no_job(
    bench: Bench, regatta: Regatta, photos: Path, model: Path
) -> None:
    words = ["--model", str(model), "--dry-run", "--format", "json", "--exclude", "c*"]
    result = regatta("submit", str(photos), *words, "--shard-items", "1")
    told: dict[str, Any] = json.loads(result.stdout)
    assert (told["items"], told["bytes"], told["shards"]) == (2, 10, 2)
    assert told["passed_over"] == {"excluded": 1, "video": 1, "not an image": 1}
    assert told["examples"] == ["a.jpg", "b.JPG"]
    assert json.loads(regatta("jobs", "--format", "json").stdout) == []
    assert not (bench.root / "outputs").exists()


def test_a_dry_run_in_words(regatta: Regatta, photos: Path, model: Path) -> None:
    words = ["--model", str(model), "--dry-run", "--format", "table", "--no-scores"]
    told = regatta("submit", str(photos), *words).stdout
    assert "exported: task detect, threshold 0.4, " in told
    assert "scores no" in told
    assert "None" not in told
    assert "{" not in told


def test_no_model_is_no_dead_end(regatta: Regatta, photos: Path) -> None:
    refused = regatta("submit", str(photos))
    assert refused.exit_code == 2
    assert "Missing option '--model'" in refused.stderr
    assert "regatta models list" in refused.stderr


@pytest.mark.parametrize("command", ["submit", "run"])
def test_a_dry_run_of_a_job_without_items_fails_as_the_job_would(
    regatta: Regatta, photos: Path, model: Path, command: str
) -> None:
    words = ["--model", str(model), "--dry-run", "--format", "table", "--include", "*.gif"]
    result = regatta(command, str(photos), *words)
    assert result.exit_code == 1
    said = "1 video, 3 not included, 1 that is no picture"
    assert f"passed_over  {said}" in result.stdout
    assert f"error: nothing to do: 5 entries, {said}" in result.stderr
    assert regatta(command, str(photos), *words, "--allow-empty").exit_code == 0
    told = regatta(command, f"{photos}/[abc]/*.jpg", "--model", str(model), "--dry-run")
    assert (told.exit_code, "hint" in told.stderr) == (1, False)


def test_several_sources_are_one_job_and_may_be_repeated(
    bench: Bench, regatta: Regatta, photos: Path, model: Path
) -> None:
    more = bench.root / "more/photos"
    more.mkdir(parents=True)
    (more / "x.jpg").touch()
    words = ["--model", str(model), "--name", "both"]
    job = bench.read_job(submit(regatta, photos, model, str(more), *words[2:]))
    several = [["photos", f"{photos}/"], ["photos-2", f"{more}/"]]
    assert (job.source, job.selection["sources"]) == (f"{photos}/, {more}/", several)
    assert job.request is not None
    assert job.request["source"] == [f"{photos}/", f"{more}/"]
    saved = bench.root / "both.toml"
    assert regatta("submit", "--like", "both", "--save", str(saved)).exit_code == 0
    for again in (["--like", "both"], [str(saved)]):
        result = regatta("submit", *again)
        assert result.exit_code == 0, result.stderr
        twin = bench.read_job(result.stdout.strip())
        assert (twin.source, twin.selection) == (job.source, job.selection)
    status = json.loads(regatta("status", job.id, "--format", "json").stdout)
    assert status["source"] == [f"{photos}/", f"{more}/"]
    inside = regatta("submit", str(photos), str(more), *words, "--output", f"{more}/out")
    assert "lies in the source" in inside.stderr
    mixed = regatta("submit", str(saved), str(photos), *words)
    assert (mixed.exit_code, "is a job file" in mixed.stderr) == (2, True)


@pytest.mark.parametrize("command", ["submit", "run"])
def test_a_broken_model_is_an_error_before_any_work(
    bench: Bench, regatta: Regatta, photos: Path, model: Path, command: str
) -> None:
    (model / "model.pdiparams").unlink()
    result = regatta(command, str(photos), "--model", str(model))
    assert result.exit_code == 2
    assert "no model.pdiparams" in result.stderr
    assert not (bench.root / "stack.json").exists()
    assert json.loads(regatta("jobs", "--format", "json").stdout) == []


def test_watching_ends_with_the_jobs_exit_code(
    bench: Bench,
    regatta: Regatta,
    photos: Path,
    model: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def cancel(_seconds: float) -> None:
        [job] = json.loads(regatta("jobs", "--format", "json").stdout)
        if job["state"] == "planning":
            regatta("cancel", "latest")
        else:
            bench.db.write(
                lambda s: move_job(s, job["id"], JobMoves.END_CANCELLED, finished_at=5.0)
            )

    monkeypatch.setattr("cli.show.progress.time.sleep", cancel)
    result = regatta("submit", str(photos), "--model", str(model), "--watch")
    assert result.exit_code == 4
    assert "cancelling: 0/0 items" in result.stderr


def test_a_database_that_is_not_there_is_made(
    tmp_path: Path, regatta: Regatta, monkeypatch: pytest.MonkeyPatch, photos: Path, model: Path
) -> None:
    monkeypatch.setenv("REGATTA_HOME", str(tmp_path / "new"))
    submit(regatta, photos, model)
    assert (tmp_path / "new" / "regatta.db").is_file()
