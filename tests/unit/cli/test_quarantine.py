import json
import time
from typing import Any

import pyarrow as pa
import pytest
from sqlalchemy import update

from core.items import ItemRef
from core.layout import carried_part
from core.retry import Failure
from core.states import ItemState, JobMoves, JobState
from core.work import Counts, ShardResult, WorkUnit
from store import leases
from store.carried import SCHEMA as CARRIED
from store.carried import encode_carried
from store.jobs import Choice, move_job, reopen
from store.parts import ResultRow, encode_rows
from store.shard_log import MOST_ITEM_LINES, MOST_LINES, log_of, longer
from store.tables import Job
from tests.bench import Bench, rows_artefact
from tests.unit.cli.conftest import Regatta

REASONS = {"0.jpg": "decode_failed: no\x07pe", "1.jpg": "decode_failed: cut", "3.jpg": "too_large"}


def row(index: int) -> ResultRow:
    item = ItemRef(index, f"{index}.jpg", size=9)
    if item.key in REASONS:
        return ResultRow.quarantined(item, task="detect", model="m", reason=REASONS[item.key])
    return ResultRow(item=item, task="detect", model="m", state=ItemState.SUCCEEDED)


@pytest.fixture
def job(bench: Bench) -> str:
    """A partial job of three shards: two bad items, one bad and one good, two good."""
    bench.clock.now = time.time()
    bench.job("abc", [2, 2, 2])
    for seq, bad in enumerate((2, 1, 0)):
        hold = bench.run("abc")
        part = encode_rows([row(2 * seq), row(2 * seq + 1)])
        bench.output("abc").put(f"results/part-{seq:06}.parquet", part)
        lines = [
            {"timestamp": "2026-01-01T10:00:00.000Z", "level": "info", "event": "shard started"},
            *(
                {"timestamp": "2026-01-01T10:00:01.000Z", "level": "debug", "event": "item", **one}
                for one in ({"item": "0.jpg", "step": 1}, {"item": "1.jpg", "step": 2})
            ),
        ]
        result = ShardResult((rows_artefact(hold, seq=seq),), Counts(2 - bad, 0, bad))
        bench.db.write(
            lambda s, hold=hold, result=result, lines=lines: leases.commit(
                s, hold, result, lines=lines, now=bench.clock.now
            )
        )
        bench.publish(hold)
    bench.db.write(lambda s: move_job(s, "abc", JobMoves.END_PARTIAL))
    return "abc"


def listed(regatta: Regatta, *words: str, of: str = "abc") -> list[dict[str, Any]]:
    result = regatta("quarantine", "list", of, *words)
    assert result.exit_code == 0, result.stderr
    return [json.loads(line) for line in result.stdout.splitlines()]


def done(regatta: Regatta, *words: str) -> str:
    result = regatta(*words)
    assert result.exit_code == 0, result.stderr
    return result.stderr


def refused(regatta: Regatta, *words: str) -> str:
    result = regatta(*words)
    assert result.exit_code != 0
    return result.stderr


def again(bench: Bench) -> list[tuple[str, list[int] | None]]:
    return [(shard.state.value, shard.again) for shard in map(bench.read_shard, (1, 2, 3))]


def test_the_list_counts_reasons_and_can_be_cut_down(regatta: Regatta, job: str) -> None:
    table = regatta("quarantine", "list", job, "--format", "table").stdout.splitlines()
    assert table[:4] == ["        2  decode_failed", "        1  too_large", "", "ITEM   REASON"]
    assert table[4].split() == ["0.jpg", "decode_failed:", r"no\x07pe"]
    assert [row["item"] for row in listed(regatta, "--reason", "too_large")] == ["3.jpg"]
    assert listed(regatta, "--reason", "other") == []


def test_an_item_with_all_that_is_known_about_it(regatta: Regatta, job: str) -> None:
    shown = json.loads(regatta("quarantine", "show", job, "0.jpg").stdout)
    assert shown["reason"] == "decode_failed: no\x07pe"
    assert shown["lies_at"] == "/nowhere/0.jpg"
    assert (shown["bytes"], shown["shard_attempts"], shown["shard_tries"]) == (9, 1, 1)
    assert [line.get("step") for line in shown["log"]] == [None, 1]
    table = regatta("quarantine", "show", job, "0.jpg", "--format", "table").stdout
    assert "10:00:00Z shard started\n10:00:01Z item item=0.jpg step=1\n" in table
    assert "no quarantined item" in refused(regatta, "quarantine", "show", job, "2.jpg")


def test_what_is_dismissed_is_no_trouble_and_stays(
    bench: Bench, regatta: Regatta, job: str
) -> None:
    said = done(regatta, "quarantine", "dismiss", job, "0.jpg", "3*", "--reason", "of no use")
    assert "2 items of job abc dismissed" in said
    assert [row["item"] for row in listed(regatta)] == ["1.jpg"]
    every = {row["item"]: row["dismissed"] for row in listed(regatta, "--all")}
    assert every == {"0.jpg": "of no use", "1.jpg": None, "3.jpg": "of no use"}
    assert json.loads(regatta("status", job).stdout)["dismissed"] == 2
    status = regatta("status", job, "--format", "table").stdout
    assert "dismissed    2 of 3 quarantined" in status
    assert "runs again: 1 shard" in done(regatta, "retry", job)
    assert again(bench) == [("pending", [1]), ("done", None), ("done", None)]
    bench.clock.now = time.time()
    unit = bench.claim(bench.queue("abc")[0])
    assert isinstance(unit, WorkUnit)
    assert unit.chosen({0, 1}) == {1}


def test_when_all_is_dismissed_nothing_is_left_to_retry(
    bench: Bench, regatta: Regatta, job: str
) -> None:
    done(regatta, "quarantine", "dismiss", job, "*", "--reason", "x")
    assert "all 3 quarantined items" in regatta("status", job, "--format", "table").stdout
    assert "but what was dismissed" in refused(regatta, "retry", job)
    assert bench.read_job(job).state == "partial"
    assert "runs again: 2 shards" in done(regatta, "retry", job, "--all")
    assert again(bench) == [("pending", None), ("pending", None), ("done", None)]
    assert [row["dismissed"] for row in listed(regatta, "--all")] == [None] * 3


def test_single_items_run_again_dismissed_or_not(bench: Bench, regatta: Regatta, job: str) -> None:
    done(regatta, "quarantine", "dismiss", job, "*", "--reason", "x")
    assert "no quarantined item" in refused(regatta, "quarantine", "retry", job, "1.jpg", "7*")
    assert "1 item in 1 shard" in done(regatta, "quarantine", "retry", job, "1.jpg")
    assert again(bench) == [("pending", [1]), ("done", None), ("done", None)]
    assert [row["item"] for row in listed(regatta)] == ["1.jpg"]


def test_what_was_carried_over_is_listed_and_counted(
    bench: Bench, regatta: Regatta, job: str
) -> None:
    taken = {"kind": "image", "job": job, "output": bench.read_job(job).output, "index": 0}
    taken |= {"part": "results/part-000000.parquet", "item": "0.jpg", "state": "quarantined"}
    key = carried_part(0, 1)
    compared = {"manifests": [key], "quarantined": 1}
    bench.job("new", state=JobState.SUCCEEDED, since_job=job, carried=1, comparison=compared)
    manifest = pa.Table.from_pylist([taken | {"key": "moved.jpg", "why": "quarantined"}], CARRIED)
    bench.output("new").put(key, encode_carried(manifest))
    assert [row["item"] for row in listed(regatta, of="new")] == ["moved.jpg"]
    header, *rows = regatta("jobs", "--format", "table").stdout.splitlines()
    assert header.split()[4:8] == ["ITEMS", "DONE", "QUARANTINED", "CARRIED"]
    [new] = [row for row in rows if row.startswith("new ")]
    assert new.split()[4:8] == ["0", "0", "0", "1"]


def test_a_choice_of_another_generation_reopens_nothing(bench: Bench, job: str) -> None:
    choice = Choice(1, {1: [1]}, is_all=False)
    assert bench.db.write(lambda s: reopen(s, job, now=bench.clock.now, choice=choice)) is None
    assert bench.read_job(job).state == "partial"


def test_a_failing_shard_keeps_what_was_logged_within_bounds(bench: Bench) -> None:
    bench.job("abc", [1])
    hold = bench.run("abc")
    bench.fail(hold)
    bench.clock.now += 1000
    [line] = bench.db.read(lambda s: log_of(s, hold.shard))
    assert (line["event"], line["error"], line["worker"]) == ("run failed", "it broke", "w")
    again = bench.run("abc")
    bench.fail(again, Failure.BLOCKED)
    assert len(bench.db.read(lambda s: log_of(s, hold.shard))) == 1  # it is nobody's fault
    many = [{"timestamp": "", "event": "e", "n": n, **one} for n in range(999) for one in BOTH]
    kept = longer([], many)
    assert (len(kept), kept[-1]["n"]) == (MOST_LINES + MOST_ITEM_LINES, 998)
    assert longer([], [{"difference": float("nan"), "share": 0.5}]) == [
        {"difference": "nan", "share": 0.5}  # PostgreSQL takes no other JSON
    ]
    assert len(longer([], [{"exception": "x\0" * 9999}])[0]["exception"]) <= 2001


BOTH: tuple[dict[str, str], ...] = ({}, {"item": "a"})


@pytest.mark.parametrize(
    ("kind", "hint"),
    [
        ("infer", "`regatta retry abc` tries them again"),
        ("compact", "they are tried again once they change"),
    ],
)
def test_what_was_carried_over_is_its_origins(
    bench: Bench, regatta: Regatta, job: str, kind: str, hint: str
) -> None:
    """A compaction into which results were moved is not run again."""
    bench.db.write(lambda s: s.execute(update(Job).where(Job.id == job).values(kind=kind)))
    key = carried_part(0, 1)
    bench.job("new", [], comparison={"manifests": [key], "quarantined": 1}, since_job=job)
    taken = {"key": "my 0.jpg", "kind": "image", "job": job, "output": bench.read_job(job).output}
    taken |= {"part": "results/part-000000.parquet", "index": 0, "item": "0.jpg"}
    taken |= {"state": "quarantined", "reason": REASONS["0.jpg"], "why": "quarantined"}
    bench.output("new").put(key, encode_carried(pa.Table.from_pylist([taken], CARRIED)))
    bench.db.write(lambda s: move_job(s, "new", JobMoves.SUCCEED))
    for words in (
        ("show", "new", "my 0.jpg"),
        ("retry", "new", "my*"),
        ("dismiss", "new", "my 0.jpg", "--reason", "known"),
    ):
        said = refused(regatta, "quarantine", *words)
        assert "carried 'my" in said
        assert hint in said
    said = refused(regatta, "retry", "new")
    assert "left nothing undone: what it has in quarantine are results of earlier jobs" in said
    assert hint in said
    assert "is called 'other'" in refused(regatta, "quarantine", "show", "new", "other")
