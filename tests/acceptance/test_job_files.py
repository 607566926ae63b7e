"""Jobs that are run again: from a job file, from another job, and from its manifest."""

from pathlib import Path

import pytest

from tests.acceptance.fleet import Fleet
from tests.acceptance.outcome import outcome
from tests.acceptance.terminal import Terminal


@pytest.mark.proof
def test_a_job_file_and_what_is_like_a_job_give_the_same_parts(
    fleet: Fleet, pictures: Path, model: Path, tmp_path: Path
) -> None:
    terminal = Terminal(fleet)
    file = tmp_path / "job.toml"
    words = ["--shard-items", "6", "--batch-size", "4", "--threshold", "0.3", "--tag", "night"]
    try:
        terminal.start("up")  # what runs is shared by all that follows
        saved = terminal.run("run", pictures, "--model", model, *words, "--save", file)
        assert saved.code == 0, saved.err
        output = tmp_path / "first"
        for asked in (
            ["run", pictures, "--model", model, *words, "--output", output],
            ["run", file],
            ["run", "--like", "latest"],
            ["run", "--like", output / "manifest.json"],
            ["run", file, "--alpha", "0.3"],
        ):
            ended = terminal.run(*asked)
            if "--alpha" in asked:
                assert ended.code == 2
                assert "--alpha means nothing to 'standin'" in ended.err
            else:
                assert ended.code == 0, ended.err
        jobs = terminal.run("jobs", "--format", "ndjson").objects
    finally:
        terminal.close()
    assert len(jobs) == 4
    outcomes = [outcome(fleet, job["id"]) for job in jobs]
    assert len(outcomes[0].parts) == 4
    assert outcomes == [outcomes[0]] * 4
    assert {tuple(job["tags"]) for job in jobs} == {("night",)}
