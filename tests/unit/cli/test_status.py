import json
import time
from dataclasses import replace
from typing import Any

import pytest

from core.states import JobMoves, JobState
from migrations.upgrade import downgrade, is_current
from store.jobs import move_job
from store.leases import Progress, renew
from tests.bench import OFFER, Bench
from tests.unit.cli.conftest import Regatta


def status(regatta: Regatta, *words: str) -> dict[str, Any]:
    result = regatta("status", *words, "--format", "json")
    assert result.exit_code == 0, result.stderr
    found: dict[str, Any] = json.loads(result.stdout)
    return found


def test_one_object_with_the_promised_fields(bench: Bench, regatta: Regatta) -> None:
    bench.job("abc", [3, 2], created_at=0.0, tags=["night"], passed_over={"excluded": 4})
    first = bench.run("abc")
    bench.commit(first, quarantined=1)
    bench.publish(first)
    seen = status(regatta, "a")
    assert list(seen)[:13] == [
        *("id", "name", "task", "model", "state", "items", "shards", "rate", "eta_seconds"),
        *("output", "created", "started", "finished"),
    ]
    assert seen["items"] == {
        "listed": 5,
        "succeeded": 2,
        "skipped": 0,
        "quarantined": 1,
        "cancelled": 0,
        "pending": 2,
    }
    assert {state: n for state, n in seen["shards"].items() if n} == {"done": 1, "pending": 1}
    assert (seen["model"], seen["state"], seen["passed_over"]) == ("m", "running", {"excluded": 4})
    assert seen["created"] == "1970-01-01T00:00:00.000Z"
    assert seen["finished"] is None


def test_rate_and_eta_come_from_the_last_minute(bench: Bench, regatta: Regatta) -> None:
    bench.clock.now = time.time() - 100
    bench.worker()
    bench.job("abc", [30, 30, 40, 100])
    for _ in range(2):  # 60 items until a minute and a half ago
        bench.commit(bench.run("abc"))
    bench.clock.now += 70  # half a minute ago: 40 items in no time
    bench.commit(bench.run("abc"))
    hold = bench.run("abc")
    step = {hold: Progress(20, moved=True)}
    bench.db.write(lambda s: renew(s, step, now=bench.clock.now, lease_seconds=300))
    seen = status(regatta, "abc")
    assert seen["in_progress"] == 20
    assert seen["rate"] == pytest.approx((40 + 20) / 60, abs=0.02)
    assert seen["eta_seconds"] == pytest.approx((100 - 20) / 1.0, rel=0.03)


def test_an_ended_job_has_its_average(bench: Bench, regatta: Regatta) -> None:
    bench.job("abc", [10])
    bench.commit(bench.run("abc"))
    bench.db.write(lambda s: move_job(s, "abc", JobMoves.SUCCEED, finished_at=1004.0))
    seen = status(regatta, "latest")
    assert (seen["rate"], seen["eta_seconds"]) == (2.5, None)
    assert seen["finished"] == "1970-01-01T00:16:44.000Z"
    assert seen["queue_without_consumer"] is None


@pytest.mark.parametrize(
    ("worker", "queue"),
    [
        ({}, None),
        ({"queues": ("media",)}, "detect"),
        ({"offers": ()}, "detect"),
        (None, "detect"),
    ],
)
def test_names_a_queue_that_nobody_serves(
    bench: Bench, regatta: Regatta, worker: dict[str, Any] | None, queue: str | None
) -> None:
    bench.clock.now = time.time()
    bench.job("abc", [1])
    if worker is not None:
        bench.worker(**worker)
    assert status(regatta, "abc")["queue_without_consumer"] == queue
    table = regatta("status", "abc", "--format", "table")
    assert ("no live worker serves the queue 'detect'" in table.stderr) is (queue is not None)


def test_says_that_no_worker_offers_what_a_job_was_frozen_to(
    bench: Bench, regatta: Regatta
) -> None:
    bench.clock.now = time.time()
    bench.job("abc", [1])
    bench.job("xyz", [1], profile=None)
    bench.worker(offers=(replace(OFFER, numerics=2), replace(OFFER, device="cpu-other")))
    seen = status(regatta, "abc")
    assert seen["profile_without_worker"] == "null/1/cpu-test/fp32"
    assert seen["offered_instead"] == ["null/1+r2/cpu-test/fp32", "null/1/cpu-other/fp32"]
    said = (
        "no live worker offers null/1/cpu-test/fp32, to which this job was frozen (workers offer "
        "null/1+r2/cpu-test/fp32, null/1/cpu-other/fp32): `regatta retry abc --reprofile` moves "
        "what is left onto what they offer\n"
    )
    for words in (["status", "abc", "--format", "table"], ["status"]):
        stderr = regatta(*words).stderr
        assert said in stderr
        assert "serves the queue" not in stderr
    other = status(regatta, "xyz")
    assert (other["profile_without_worker"], other["queue_without_consumer"]) == (None, None)
    bench.worker("old")
    assert status(regatta, "abc")["profile_without_worker"] is None


def test_a_queue_that_nobody_serves_says_nothing_of_profiles(
    bench: Bench, regatta: Regatta
) -> None:
    bench.clock.now = time.time()
    bench.job("abc", [1])
    bench.worker(queues=("media",), offers=(replace(OFFER, numerics=2),))
    seen = status(regatta, "abc")
    assert (seen["profile_without_worker"], seen["queue_without_consumer"]) == (None, "detect")


def test_a_table_escapes_names(bench: Bench, regatta: Regatta) -> None:
    bench.job("abc", [1], name="a\x1b[2Jb", error="no\nway")
    out = regatta("status", "abc", "--format", "table").stdout
    assert r"a\x1b[2Jb" in out
    assert r"no\nway" in out
    assert "\x1b" not in out


def test_without_a_job_all_that_are_under_way(bench: Bench, regatta: Regatta) -> None:
    bench.job("abc", [1])
    bench.job("xyz", [1], state=JobState.FAILED)
    result = regatta("status", "--format", "json")
    assert [job["id"] for job in json.loads(result.stdout)] == ["abc"]
    assert "0 schedulers alive" in result.stderr
    assert "no live worker serves the queue 'detect'" in result.stderr


@pytest.mark.parametrize(
    ("state", "code"),
    [
        (JobState.SUCCEEDED, 0),
        (JobState.FAILED, 1),
        (JobState.PARTIAL, 3),
        (JobState.CANCELLED, 4),
    ],
)
def test_watching_returns_how_it_ended(
    bench: Bench, regatta: Regatta, state: JobState, code: int
) -> None:
    bench.job("abc", [1], state=state)
    result = regatta("status", "abc", "--watch")
    assert result.exit_code == code
    assert json.loads(result.stdout)["state"] == state


def test_jobs_by_state_and_tag(bench: Bench, regatta: Regatta) -> None:
    bench.job("abc", [2, 1], tags=["night"])
    bench.job("xyz", [], state=JobState.FAILED, created_at=2000.0)

    def listed(*words: str) -> list[str]:
        lines = regatta("jobs", "--format", "csv", *words).stdout.splitlines()
        return [line.split(",")[0] for line in lines[1:]]

    assert listed() == ["xyz", "abc"]
    assert listed("--state", "failed") == ["xyz"]
    assert listed("--tag", "night") == ["abc"]
    assert listed("--limit", "1") == ["xyz"]
    assert regatta("jobs", "--format", "table").stdout.splitlines()[0].split()[0] == "ID"


def test_a_home_of_an_earlier_version_is_brought_up_to_date(bench: Bench, regatta: Regatta) -> None:
    bench.job("abc", [1])
    downgrade(bench.db.url, "0001")
    assert status(regatta, "abc")["id"] == "abc"
    assert is_current(bench.db.url)


def test_a_job_by_its_name_or_the_nearest(bench: Bench, regatta: Regatta) -> None:
    bench.job("abc", [1], name="boats")
    bench.clock.now += 1
    bench.job("abcd", [1], name="boats")
    for said, meant in (("abc", "abc"), ("boats", "abcd"), ("latest", "abcd")):
        assert json.loads(regatta("status", said, "--format", "json").stdout)["id"] == meant
    assert "did you mean 'boats'?" in regatta("status", "boat").stderr
