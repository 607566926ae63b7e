import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from sqlalchemy.orm import Session

from cli import complete
from cli.main import cli
from core.comparison import Comparison
from core.request import JobRequest
from core.schedule import CatchUp, Cause, FireState, Mode, Overlap, Schedule
from core.states import JobState
from store import fires, schedules, tables
from tests.bench import Bench
from tests.unit.cli.conftest import Regatta

NOW = 1_795_824_000.0  # 2026-11-28 00:00 UTC


@pytest.fixture
def bench(bench: Bench) -> Bench:
    bench.clock.now = NOW
    return bench


@pytest.fixture
def add(regatta: Regatta, photos: Path, model: Path) -> Any:
    assert regatta("models", "add", "boats", str(model), "--no-check").exit_code == 0

    def run(*words: str, name: str = "nightly") -> str:
        result = regatta("schedule", "add", name, *words)
        assert result.exit_code == 0, result.stderr
        return result.stderr

    return run


NIGHTLY = ("photos/", "--model", "boats", "--cron", "0 2 * * *")


def definition(bench: Bench, name: str = "nightly") -> Schedule:
    return schedules.definition_of(bench.db.read(lambda s: schedules.find(s, name)))


def refused(regatta: Regatta, *words: str) -> str:
    result = regatta("schedule", *words)
    assert result.exit_code == 2, result.stdout
    return result.stderr


def test_a_schedule_is_what_was_said(bench: Bench, add: Any, photos: Path) -> None:
    words = ["--tz", "Europe/Berlin", "--mode", "new-only", "--catch-up", "all"]
    words += ["--overlap", "queue", "--until", "06:00", "--keep", "14", "--keep-days", "30"]
    words += ["--redo-on", "engine", "--slice", "64", "--overlap", "0.25", "--threshold", "0.4"]
    said = add(str(photos), *NIGHTLY[1:], *words)
    assert "schedule nightly: At 02:00 every day (Europe/Berlin), until 06:00\nnext: 20" in said
    assert "no scheduler is running: it fires while `regatta up`" in said
    found = definition(bench)
    assert found == Schedule(
        "0 2 * * *",
        "Europe/Berlin",
        JobRequest((f"{photos}/",), found.request.said),
        mode=Mode.NEW_ONLY,
        catch_up=CatchUp.ALL,
        overlap=Overlap.QUEUE,
        until="06:00",
        keep_runs=14,
        keep_seconds=30 * 86_400.0,
    )
    assert dict(found.request.said) == {
        "model": ("boats",),
        "redo_on": ("engine",),
        "threshold": 0.4,
        "slice": (64, 64),
        "overlap": 0.25,
    }


def test_what_is_left_open(bench: Bench, add: Any, photos: Path) -> None:
    add(str(photos), *NIGHTLY[1:], "--name", "photos by night")
    found = definition(bench)
    assert (found.timezone, found.mode, found.overlap) == ("UTC", Mode.ALL, Overlap.SKIP)
    assert (found.catch_up, found.until, found.keep_runs) == (CatchUp.LAST, None, None)
    assert found.request.said["name"] == "photos by night"


def test_a_job_file_may_say_when(
    bench: Bench, regatta: Regatta, add: Any, photos: Path, tmp_path: Path
) -> None:
    file = tmp_path / "nightly.toml"
    table = '[schedule]\ncron = "@daily"\ntz = "Asia/Tokyo"\ncatch-up = "none"\nkeep = 3\n'
    file.write_text(f'source = "photos/"\nmodel = "boats"\nthreshold = 0.3\n{table}')
    add(str(file), "--tz", "Europe/Berlin")
    found = definition(bench)
    assert (found.cron, found.timezone, found.keep_runs) == ("@daily", "Europe/Berlin", 3)
    assert found.catch_up is CatchUp.NONE
    assert found.request.sources == (f"{photos}/",)
    assert found.request.said["threshold"] == 0.3
    assert regatta("submit", str(file)).exit_code == 0, "which the table doesn't change"
    for line, why in (
        ('corn = "@daily"', "'corn' is not an option of a schedule\nhint: did you mean 'cron'?"),
        ('cron = "@daily"\nkeep = "3"', "keep: '3' is not a whole number"),
        ('cron = "@daily"\nmode = "some"', "--mode must be all or new-only, not 'some'"),
    ):
        file.write_text(f'source = "photos/"\nmodel = "boats"\n[schedule]\n{line}\n')
        assert why in refused(regatta, "add", "other", str(file))


def test_a_schedule_like_a_job_follows_the_name_of_its_model(
    bench: Bench, regatta: Regatta, add: Any, photos: Path
) -> None:
    words = ("--model", "boats", "--threshold", "0.3", "--output", "elsewhere")
    assert regatta("submit", str(photos), *words).exit_code == 0
    add("--like", "latest", "--cron", "0 2 * * *")
    said = definition(bench).request.said
    assert (said["model"], said["threshold"]) == (("boats",), 0.3)
    assert "output" not in said
    assert regatta("submit", str(photos), "--model", "regatta_rowers").exit_code == 0
    add("--like", "latest", "--cron", "@daily", name="shipped")
    assert definition(bench, "shipped").request.said["model"] == ("regatta_rowers",)


def test_a_model_without_a_name_gets_one(
    bench: Bench, regatta: Regatta, add: Any, photos: Path, model: Path
) -> None:
    said = add(str(photos), "-m", str(model), "--cron", "@daily")
    assert "model exported is registered now: each fire looks it up by this name\n" in said
    assert definition(bench).request.said["model"] == ("exported",)
    assert regatta("models", "show", "exported").exit_code == 0
    (model / "model.pdiparams").write_bytes(b"other weights")
    said = refused(regatta, "add", "other", str(photos), "-m", str(model), "--cron", "@daily")
    assert "the name 'exported' stands for another model" in said


@pytest.mark.parametrize(
    ("words", "why"),
    [
        (["--model", "boats"], "Missing option '--cron'"),
        (["--model", "boats", "--cron", "@daily", "--redo-on", "engine"], "--redo-on says why"),
        (["--model", "boats", "--cron", "61 2 * * *"], "not a cron expression: bad minute"),
        (["--model", "boats", "--cron", "0 2 * *"], "has 4 fields, not five"),
        (["--model", "boats", "--cron", "0 0 30 2 *"], "30 2 *"),
        (["--cron", "@daily"], "Missing option '--model'"),
        (["--model", "boat", "--cron", "@daily"], "did you mean 'boats'?"),
        (["--model", "boats", "--cron", "@daily", "--tz", "Europe/Berln"], "'Europe/Berlin'"),
        (["--model", "boats", "--cron", "@daily", "--until", "6:00"], "is not a time of day"),
        (["--model", "boats", "--cron", "@daily", "--overlap", "skp"], "did you mean 'skip'?"),
        (["--model", "boats", "--cron", "@daily", "--overlap", "1.5"], "between 0 and 0.9"),
        (["--model", "boats", "--cron", "@daily", "--alpha", "0.3"], "--alpha means nothing"),
    ],
)
def test_what_cannot_be_a_schedule_is_refused(
    bench: Bench, regatta: Regatta, add: Any, photos: Path, words: list[str], why: str
) -> None:
    assert why in refused(regatta, "add", "nightly", str(photos), *words)
    assert regatta("schedule", "list", "--format", "json").stdout == "[]\n"


def test_names_are_unique_and_near_ones_are_proposed(
    bench: Bench, regatta: Regatta, add: Any, photos: Path
) -> None:
    add(*NIGHTLY)
    assert "there is a schedule 'nightly'" in refused(regatta, "add", "nightly", *NIGHTLY)
    assert "cannot be a schedule's name" in refused(regatta, "add", "a/b", *NIGHTLY)
    assert "no folder" in refused(regatta, "add", "x", "nowhere/", *NIGHTLY[1:])
    for command in ("show", "edit", "pause", "resume", "remove", "run", "history", "next"):
        assert "did you mean 'nightly'?" in refused(regatta, command, "nightl")
    proposed = complete.schedules(None, None, "ni")  # type: ignore[arg-type]
    assert [each.value for each in proposed] == ["nightly"]


def test_a_dry_run_adds_nothing(bench: Bench, regatta: Regatta, add: Any) -> None:
    result = regatta("schedule", "add", "nightly", *NIGHTLY, "--dry-run")
    assert "would fire: At 02:00 every day (UTC)" in result.stderr
    assert regatta("schedule", "list", "--format", "json").stdout == "[]\n"


def test_an_edit_changes_what_is_said_and_keeps_the_rest(
    bench: Bench, regatta: Regatta, add: Any, photos: Path, tmp_path: Path
) -> None:
    add(*NIGHTLY, "--until", "06:00", "--threshold", "0.3", "--keep", "2")
    before = definition(bench)
    result = regatta(
        "schedule", "edit", "nightly", "--cron", "0 3 * * *", "--threshold", "0.4", "--unset",
        "until", "--unset", "--keep",
    )  # fmt: skip
    assert result.exit_code == 0, result.stderr
    assert (
        "changed nightly: cron 0 2 * * * -> 0 3 * * *, until 06:00 -> -, keep 2 -> -, "
        "threshold 0.3 -> 0.4\n"
    ) in result.stderr
    after = definition(bench)
    assert (after.cron, after.until, after.keep_runs) == ("0 3 * * *", None, None)
    assert after.request.said == {**before.request.said, "threshold": 0.4}
    (tmp_path / "more").mkdir()
    (tmp_path / "more" / "a.jpg").write_bytes(b"1")
    assert regatta("schedule", "edit", "nightly", str(photos), "more/").exit_code == 0
    assert definition(bench).request.sources == (f"{photos}/", f"{tmp_path}/more/")
    assert "would change" in refused(regatta, "edit", "nightly", "--threshold", "0.4")
    assert "did you mean 'until'?" in refused(regatta, "edit", "nightly", "--unset", "untl")
    assert "needs --cron" in refused(regatta, "edit", "nightly", "--unset", "cron")
    assert "means nothing" in refused(regatta, "edit", "nightly", "--alpha", "0.2")
    listed = regatta("schedule", "history", "nightly", "--revisions", "--format", "json").stdout
    edits = [(each["revision"], each["what"]) for each in json.loads(listed)]
    assert edits[0] == (3, f"source {photos}/ -> {photos}/,{tmp_path}/more/")
    assert edits[2] == (1, "added")


def test_a_replaced_or_forgotten_model_names_the_schedules_that_mean_it(
    bench: Bench, regatta: Regatta, add: Any, model: Path
) -> None:
    add(*NIGHTLY)
    (model / "model.pdiparams").write_bytes(b"other weights")
    words = ("models", "add", "boats", str(model), "--no-check", "--replace")
    assert "schedule nightly takes the new one at the next fire\n" in regatta(*words).stderr
    said = regatta("models", "remove", "boats").stderr
    assert "warning: schedule nightly names it: fires fail until there is one again\n" in said


def test_pause_resume_remove(bench: Bench, regatta: Regatta, add: Any) -> None:
    add(*NIGHTLY)
    assert "go on with: regatta schedule resume" in regatta("schedule", "pause", "nightly").stderr
    assert "is paused already" in refused(regatta, "pause", "nightly")
    [shown] = json.loads(regatta("schedule", "list", "--format", "json").stdout)
    assert (shown["state"], shown["next"]) == ("paused", [])
    assert "paused" in regatta("schedule", "list", "--format", "table").stdout
    assert "next: 20" in regatta("schedule", "resume", "nightly").stderr
    assert "is not paused" in refused(regatta, "resume", "nightly")
    assert "removed schedule nightly\n" in regatta("schedule", "remove", "nightly").stderr
    assert "no schedule 'nightly'" in refused(regatta, "remove", "nightly")


def test_next_times_are_those_of_the_zone(bench: Bench, regatta: Regatta, add: Any) -> None:
    add(*NIGHTLY, "--tz", "Asia/Tokyo")
    table = regatta("schedule", "next", "nightly", "-n", "2", "--format", "table").stdout
    assert [line.split()[1:3] for line in table.splitlines()[1:]] == 2 * [["02:00", "JST"]]
    found = json.loads(regatta("schedule", "next", "nightly", "--format", "json").stdout)
    assert len(found) == 3
    assert all(each["utc"].endswith("T17:00:00.000Z") for each in found)


def fire(bench: Bench, due: float, state: FireState, job: str | None, **values: Any) -> None:
    def write(s: Session) -> None:
        row = schedules.find(s, "nightly")
        made = {"revision": 1, "cause": Cause.DUE.value, "fired_at": due + 1, **values}
        s.add(
            tables.ScheduleFire(
                schedule_id=row.id, due_at=due, state=state.value, job_id=job, **made
            )
        )

    bench.db.write(write)


def test_history_says_what_came_of_each_time(bench: Bench, regatta: Regatta, add: Any) -> None:
    add(*NIGHTLY, "--tz", "Europe/Berlin")
    empty = regatta("schedule", "history", "nightly", "--format", "table").stderr
    assert empty == "schedule nightly has not fired yet\n"
    done, failed = JobState.SUCCEEDED, JobState.FAILED
    found = Comparison(unchanged=12_431, new=210, gone=7).to_json()
    bench.job("good", [3], state=done)
    bench.job("compared", [3], state=done, comparison=found)
    bench.job("bad", [], state=failed, error="the bucket is gone")
    fire(bench, NOW, FireState.SUBMITTED, "good")
    fire(bench, NOW + 86_400, FireState.SUBMITTED, "bad")
    fire(bench, NOW + 2 * 86_400, FireState.SKIPPED, None, why="the run before has not ended")
    fire(bench, NOW + 3 * 86_400, FireState.SUBMITTED, "gone", cause=Cause.CAUGHT_UP.value)
    fire(bench, NOW + 4 * 86_400, FireState.FIRING, "next", why="the bucket is away")
    fire(bench, NOW - 86_400, FireState.SUBMITTED, "compared", cause=Cause.BY_HAND.value)
    bench.job("old", [5], state=done, comparison=found)
    fire(bench, NOW - 2 * 86_400, FireState.SUBMITTED, "old")
    assert regatta("jobs", "rm", "old").exit_code == 0
    listed = regatta("schedule", "history", "nightly", "--format", "json").stdout
    assert [each["outcome"] for each in json.loads(listed)] == [
        "about to begin: the bucket is away",
        "its job was removed",
        "skipped: the run before has not ended",
        "failed: the bucket is gone",
        "succeeded: 3 items",
        "succeeded: 12,431 unchanged, 210 new, 0 changed, 7 gone",
        "succeeded: 12,431 unchanged, 210 new, 0 changed, 7 gone (removed since)",
    ]
    table = regatta("schedule", "history", "nightly", "--format", "table").stdout
    assert "28 Nov 01:00 CET  01:00:01  due        good" in table
    [shown] = json.loads(regatta("schedule", "list", "--format", "json").stdout)
    assert shown["last"]["outcome"] == "about to begin: the bucket is away"
    assert "02 Dec 01:00  about to begin" in regatta("schedule", "list", "--format", "table").stdout


def test_show_says_what_stays_beyond_its_limits(bench: Bench, regatta: Regatta, add: Any) -> None:
    add(*NIGHTLY, "--keep", "1")
    for number, job in enumerate(("one", "two", "three")):
        bench.job(job, state=JobState.SUCCEEDED, finished_at=NOW + number)
        fire(bench, NOW + number, FireState.SUBMITTED, job)
    bench.job("reader", source=str(bench.root / "one/annotated/"))
    shown = json.loads(regatta("schedule", "show", "nightly", "--format", "json").stdout)
    assert shown["stays"] == {
        "two": "it is removed in a few minutes",
        "one": "reader has a source in its output",
    }
    table = regatta("schedule", "show", "nightly", "--format", "table").stdout
    assert "keep      the last run\n" in table
    assert "one: reader has a source in its output" in table
    pruned = regatta("prune", "--schedule", "nightly", "--dry-run").stdout
    assert [line.split()[1] for line in pruned.splitlines()] == ["two", "one"]
    assert "removed job two" in regatta("prune", "--schedule", "nightly").stderr
    assert regatta("schedule", "edit", "nightly", "--unset", "keep").exit_code == 0
    result = regatta("prune", "--schedule", "nightly")
    assert "keeps all its runs\nhint: say --keep" in result.stderr


def test_no_schedules_are_no_empty_table(regatta: Regatta) -> None:
    result = regatta("schedule", "list", "--format", "table")
    assert (result.exit_code, result.stdout) == (0, "")
    assert "there are no schedules yet: regatta schedule add" in result.stderr
    assert regatta("schedule", "list", "--format", "json").stdout == "[]\n"


def test_prune_leaves_what_a_schedule_goes_on_from(
    bench: Bench, regatta: Regatta, add: Any
) -> None:
    add(*NIGHTLY, "--mode", "new-only")
    for number, job in enumerate(("one", "two", "three")):
        bench.job(job, state=JobState.SUCCEEDED, finished_at=NOW + number, created_at=NOW + number)
    fire(bench, NOW, FireState.SUBMITTED, "one")
    result = regatta("prune", "--keep", "1")
    assert "job one stays: schedule nightly goes on from it" in result.stderr
    assert "removed job two" in result.stderr


def test_a_run_by_hand_is_the_schedulers(
    bench: Bench, regatta: Regatta, add: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    add(*NIGHTLY)
    regatta("schedule", "pause", "nightly")
    result = regatta("schedule", "run", "nightly")
    assert result.exit_code == 0, result.stderr
    row = bench.db.read(lambda s: schedules.find(s, "nightly"))
    [made] = bench.db.read(lambda s: schedules.fires_of(s, row.id))
    assert (made.cause, made.state) == ("by hand", "firing")
    assert f"schedule nightly fires now, as job {made.job_id}\n" in result.stderr
    assert "no scheduler is running" in result.stderr
    assert "has not ended" in refused(regatta, "run", "nightly", "--wait")


@pytest.mark.parametrize("end", ["partial", "failed to begin"])
def test_whoever_waits_for_a_run_gets_its_exit_code(
    bench: Bench, regatta: Regatta, add: Any, monkeypatch: pytest.MonkeyPatch, end: str
) -> None:
    add(*NIGHTLY)

    def scheduler(_seconds: float) -> None:
        """Do what a scheduler does while the command waits."""
        row = bench.db.read(lambda s: schedules.find(s, "nightly"))
        [made] = bench.db.read(lambda s: schedules.fires_of(s, row.id))
        key = (row.id, made.due_at)
        if end != "partial":
            bench.db.write(lambda s: fires.failed(s, key, "there is no model 'boats'"))
            return
        bench.job(str(made.job_id), state=JobState.PARTIAL)
        bench.db.write(lambda s: fires.submitted(s, key))

    monkeypatch.setattr("cli.schedule.by_hand.time.sleep", scheduler)
    result = regatta("schedule", "run", "nightly", "--wait")
    if end == "partial":
        assert result.exit_code == 3, result.stderr
        assert " partial: 0 items\n" in result.stderr
    else:
        assert result.exit_code == 1, result.stderr
        assert "schedule nightly: failed: there is no model 'boats'\n" in result.stderr


def test_help_says_that_a_scheduler_must_run() -> None:
    for words in (["schedule"], ["schedule", "add"], ["schedule", "run"]):
        text = " ".join(CliRunner().invoke(cli, [*words, "--help"]).output.split())
        assert "regatta up" in text
