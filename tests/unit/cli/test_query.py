import json
import resource
import subprocess
import sys
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from config.settings import load_settings
from core.errors import RegattaError, UsageError
from core.items import ItemRef
from core.layout import carried_part
from core.states import ItemState
from core.work import Hold
from predictions.answer import ClassScore
from predictions.detections import Detections
from report.snapshot import snapshot
from store.carried import SCHEMA as CARRIED
from store.carried import encode_carried
from store.parts import encode_rows
from store.results import ResultRow
from tables.asked import asked
from tables.complaints import complaint
from tables.records import records, unique
from tables.sandbox import Sandbox
from tests.bench import Bench
from tests.unit.cli.conftest import Regatta

LABELS = ("boat", "=SUM(A1),\n<b>")


def found(index: int, key: str, count: int = 0, **fields: Any) -> ResultRow:
    corners = np.array([[i, i, i + 8.5, i + 8.5] for i in range(count)]).reshape(count, 4)
    boxes = Detections(
        xyxy=corners,
        scores=np.array([0.6 + 0.2 * i for i in range(count)]),
        class_ids=np.arange(count) % 2,
        labels=LABELS,
        texts=tuple(f"no. {i}" for i in range(count)),
    )
    fields = {"width": 64, "height": 48, "detections": boxes} | fields
    return ResultRow(
        ItemRef(index, key, size=9), task="detect", model="m", state=ItemState.SUCCEEDED, **fields
    )


def broken(index: int, key: str) -> ResultRow:
    item = ItemRef(index, key, size=9)
    return ResultRow.quarantined(item, task="detect", model="m", reason="decode_failed: nope")


@pytest.fixture
def job(bench: Bench) -> Hold:
    """Job `abc`: a published part, a committed one that is only staged, and one that runs."""
    bench.job("abc", [2, 2, 1])
    first, second = bench.run("abc"), bench.run("abc")
    bench.run("abc")
    output = bench.output("abc")
    rows = [found(0, "a.jpg", 2, annotated="annotated/a.jpg.jpg"), broken(1, "b,\n.jpg")]
    output.put("results/part-000000.parquet", encode_rows(rows))
    bench.commit(first, quarantined=1)
    bench.publish(first)
    classes = (ClassScore("dog", 4, 0.75),)
    rows = [found(2, "c.jpg", 1), found(3, "d.jpg", detections=None, classes=classes)]
    output.put("_attempts/000001/1/part.parquet", encode_rows(rows))
    bench.commit(second)
    return second


@pytest.fixture
def sandbox(bench: Bench, job: Hold) -> Sandbox:
    return Sandbox([asked(bench.db, bench.read_job("abc"))], threads=2, memory=1 << 30)


def ask(sandbox: Sandbox, sql: str) -> list[dict[str, Any]]:
    return list(records(sandbox.rows(sql, 1000)))


def test_views_are_what_is_committed_so_far(bench: Bench, sandbox: Sandbox) -> None:
    assert [one["item"] for one in ask(sandbox, "from items")] == [
        *("a.jpg", "b,\n.jpg", "c.jpg", "d.jpg")
    ]
    boxes = ask(sandbox, "select * from detections where item = 'a.jpg' and score > 0.7")
    assert [(one["label"], one["score"], one["nr"], one["area"]) for one in boxes] == [
        (LABELS[1], 0.8, 2, 72.25)
    ]
    output = bench.read_job("abc").output
    assert boxes[0]["annotated"] == f"{output}/annotated/a.jpg.jpg"
    assert (boxes[0]["job"], boxes[0]["made_by"]) == ("abc", "abc")
    assert ask(sandbox, "select item, label from classes") == [{"item": "d.jpg", "label": "dog"}]
    assert [one["text"] for one in ask(sandbox, "from texts where x1 > 0")] == ["no. 1"]
    assert ask(sandbox, "select item, code, reason from quarantined") == [
        {"item": "b,\n.jpg", "code": "decode_failed", "reason": "decode_failed: nope"}
    ]
    assert ask(sandbox, "select count(*) as n from keypoints, segments") == [{"n": 0}]
    pairs = "select count(*) as n from detections a join detections b using (job, item)"
    assert ask(sandbox, pairs) == [{"n": 5}]
    by_filter = "select width from items where item in ('c.jpg', 'x') and state = 'succeeded'"
    assert ask(sandbox, by_filter) == [{"width": 64}]
    assert ask(sandbox, "select item from items where state is null or pts > 1") == []


def test_numbers_are_those_of_status(bench: Bench, sandbox: Sandbox, regatta: Regatta) -> None:
    counted = {
        row["state"]: row["n"]
        for row in ask(sandbox, "select state, count(*) as n from items group by state")
    }
    status = snapshot(bench.db, load_settings(), "abc")
    printed = [json.loads(line)["state"] for line in regatta("results", "abc").stdout.splitlines()]
    assert counted == {state: printed.count(state) for state in {*printed}}
    assert counted == {state: status["items"][state] for state in ("succeeded", "quarantined")}


def test_rows_of_earlier_jobs_are_among_them(bench: Bench, job: Hold, regatta: Regatta) -> None:
    key, abc = carried_part(0, 1), bench.read_job("abc").output
    taken = {"key": "new/a.jpg", "kind": "image", "job": "abc", "output": abc, "index": 0}
    taken |= {"part": "results/part-000000.parquet", "item": "a.jpg", "state": "succeeded"}
    bench.job("new", [1], comparison={"manifests": [key]})
    rows = pa.Table.from_pylist([taken | {"why": "moved"}], CARRIED)
    bench.output("new").put(key, encode_carried(rows))
    bench.output("new").put("results/part-000000.parquet", encode_rows([found(0, "0.jpg", 1)]))
    hold = bench.run("new")
    bench.commit(hold)
    bench.publish(hold)
    jobs = [asked(bench.db, bench.read_job(name)) for name in ("new", "abc")]
    sandbox = Sandbox(jobs, threads=2, memory=1 << 30)
    assert ask(sandbox, "select job, item, made_by, annotated from items where job = 'new'") == [
        {"job": "new", "item": "0.jpg", "made_by": "new", "annotated": None},
        {
            "job": "new",
            "item": "new/a.jpg",
            "made_by": "abc",
            "annotated": f"{abc}/annotated/a.jpg.jpg",
        },
    ]
    counts = "select job, count(*) as n from detections group by job order by job"
    assert ask(sandbox, counts) == [{"job": "abc", "n": 3}, {"job": "new", "n": 3}]
    row = json.loads(regatta("results", "new", "--item", "new/a.jpg").stdout)
    assert (row["job"], len(row["detections"])) == ("abc", 2)


HOSTILE = (
    "copy detections to '/tmp/regatta-hostile.csv'",
    "copy (select 1) to '/tmp/regatta-hostile.csv'",
    "attach '/tmp/regatta-hostile.db'",
    "install httpfs",
    "load httpfs",
    "pragma database_list",
    "call pragma_version()",
    "set enable_external_access = true",
    "select 1; drop view detections",
    "drop view detections",
    "create table t as select 1",
    "export database '/tmp/regatta-hostile'",
    "explain analyze select 1",
    "prepare p as select 1",
    "select * from read_csv('/etc/passwd')",
    "select (select content from read_text('/etc/passwd'))",
    "with x as (from read_blob('/etc/passwd')) from x",
    "select * from glob('/*')",
    "select * from '/etc/passwd'",
    "select * from 'https://example.com/a.parquet'",
    "select * from parquet_metadata('/etc/passwd')",
    "select * from query('select 1')",
    "select * from query_table('items')",
    "select * from duckdb_settings()",
    "select * from sniff_csv('/etc/passwd')",
    "select getenv('HOME')",
    "select * from arrow_scan(1, 1, 1)",
    "select * from pandas_scan(1)",
    "with x as (insert into items values (1) returning *) from x",
    "select * from hostile",  # a variable of the process
    "",
    "-- nothing",
    "selec 1",
)


def test_a_query_only_reads_its_views(sandbox: Sandbox) -> None:
    hostile = pa.table({"a": [1]})
    for sql in HOSTILE:
        with pytest.raises((UsageError, duckdb.Error)) as caught:
            ask(sandbox, sql)
        assert isinstance(complaint(caught.value, "1 GB"), UsageError), sql
    del hostile
    assert not list(Path("/tmp").glob("regatta-hostile*"))  # noqa: S108 - as in the SQL
    assert ask(sandbox, "select count(*) as n from detections, range(2)") == [{"n": 6}]


@pytest.mark.parametrize(
    ("sql", "message", "hint"),
    [
        ("select lable from detections", "there is no column 'lable'", "did you mean 'label'?"),
        ("select d.lable from detections d", "there is no column 'lable'", "did you mean"),
        ("from detection", "there is no view 'detection'", "did you mean 'detections'?"),
        ("select foo(1)", "Scalar Function with name foo does not exist", ""),
        ("selec 1", 'syntax error at or near "selec"', "LINE 1: selec 1"),
        ("select 1; select 2", "2 statements", "write one SELECT"),
        ("copy items to 'x'", "COPY is not possible: a query only reads", "write one SELECT"),
        ("from glob('*')", "glob() is not possible", "lists the views"),
        (
            "pivot items on state using count(*)",
            "PIVOT has to name its values",
            "pivot items on state in (",
        ),
    ],
)
def test_what_is_wrong_is_said(sandbox: Sandbox, sql: str, message: str, hint: str) -> None:
    with pytest.raises((UsageError, duckdb.Error)) as caught:
        ask(sandbox, sql)
    said = complaint(caught.value, "1 GB")
    assert message in str(said)
    assert hint in (said.hint or "")


def test_a_part_that_is_gone_is_named(bench: Bench, job: Hold) -> None:
    bench.output("abc").delete("results/part-000000.parquet")
    sandbox = Sandbox([asked(bench.db, bench.read_job("abc"))], threads=1, memory=1 << 30)
    with pytest.raises(duckdb.Error):
        ask(sandbox, "select count(label) from detections")
    failure = sandbox.failure()
    assert isinstance(failure, RegattaError)
    assert "results/part-000000.parquet is missing" in str(failure)


def test_values_are_plain() -> None:
    connection = duckdb.connect()
    sql = (
        "select 0.1::float as a, 'nan'::float as b, [0.1::float] as c, {'x': 'inf'::double} as d, "
        "sum(2) as e, 1.5 as f, date '2026-01-02' as g, 'a'::blob as h, 1 as a, "
        "[{'x': 0.1::float, 'y': map{'z': 0.1::float}}] as i, date 'infinity' as j, "
        "timestamp_ns '2026-01-02 03:04:05.123456789' as k, "
        "{'x': [timestamp '290000-01-01']} as l, "
        "timestamptz '-infinity' as m, time_ns '10:00:00.123456789' as n"
    )
    [row] = records(connection.sql(sql).to_arrow_reader(10))
    assert row == {
        "a": 0.1,
        "b": None,
        "c": [0.1],
        "d": {"x": None},
        "e": 2,
        "f": 1.5,
        "g": "2026-01-02",
        "h": "61",
        "a_1": 1,
        "i": [{"x": 0.1, "y": [["z", 0.1]]}],
        "j": None,
        "k": "2026-01-02 03:04:05.123456789",
        "l": {"x": [None]},
        "m": None,
        "n": "10:00:00.123456789",
    }
    assert unique(["a", "a", "a_1"]) == ["a", "a_1", "a_1_1"]


def run(bench: Bench, *words: str) -> "subprocess.CompletedProcess[bytes]":
    command = [Path(sys.executable).with_name("regatta"), "query", "abc", *words]
    return subprocess.run(
        command, env={"REGATTA_HOME": str(bench.root), "PATH": ""}, capture_output=True, check=False
    )


def test_the_command_prints_what_was_found(bench: Bench, regatta: Regatta, job: Hold) -> None:
    out = run(bench, "--format", "csv", "select item, label from detections order by item, nr")
    assert out.stdout.decode() == (
        'item,label\na.jpg,boat\na.jpg,"\'=SUM(A1),\n<b>"\nc.jpg,boat\n'
    ), out.stderr
    parquet = run(bench, "--format", "parquet", "select item, score from detections order by 2, 1")
    assert parquet.returncode == 0, parquet.stderr
    table = pq.read_table(pa.BufferReader(parquet.stdout))
    assert table["item"].to_pylist() == ["a.jpg", "c.jpg", "a.jpg"]
    lines = regatta("query", "abc").stdout.splitlines()
    assert {"view": "items", "column": "uri"}.items() <= json.loads(lines[3]).items()


def test_what_a_query_may_use_is_bounded(bench: Bench, job: Hold) -> None:
    before = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
    large = run(
        bench, "--memory", "100MB", "select length(repeat('x', 3000000000 + count(*))) from items"
    )
    assert large.returncode == 2
    assert b"memory" in large.stderr
    assert b"--memory" in large.stderr
    assert resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss < max(before, 1_500_000)
    wide = run(bench, "--memory", "200MB", "select repeat('x', 1000000) from range(10000)")
    assert wide.returncode == 2
    assert b"--memory" in wide.stderr
    slow = run(bench, "--timeout", "0.7", "select len(range(200000000 + count(*))) from items")
    assert slow.returncode == 2
    assert b"the query took longer than 0.7s" in slow.stderr


def test_a_query_may_not_take_for_ever(regatta: Regatta, job: Hold) -> None:
    for limit in ("1e308", "inf", "nan"):
        done = regatta("query", "abc", "select 1", "--timeout", limit)
        assert done.exit_code == 2
        assert "--timeout" in done.stderr


@pytest.mark.parametrize("words", [("--label", "boat"), ("--min-score", "0"), ("--sort", "item")])
def test_sql_has_no_filters_beside_it(regatta: Regatta, job: Hold, words: tuple[str, str]) -> None:
    done = regatta("results", "abc", "--sql", "select 1", *words)
    assert done.exit_code == 2
    assert "--sql goes with --format, --limit and --raw only" in done.stderr
