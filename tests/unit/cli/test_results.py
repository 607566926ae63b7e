import csv
import io
import json
from typing import Any

import numpy as np
import pytest

from cli.show.summary import summary
from config.settings import load_settings
from core.items import ItemRef
from core.states import ItemState
from core.work import Hold
from predictions.detections import Detections
from report.snapshot import snapshot
from store.parts import encode_rows
from store.results import ResultRow
from tests.bench import Bench
from tests.unit.cli.conftest import Regatta

LABELS = ("boat", "buoy")


def found(index: int, key: str, *classes: int) -> ResultRow:
    count = len(classes)
    return ResultRow(
        item=ItemRef(index, key, size=9),
        task="detect",
        model="m",
        state=ItemState.SUCCEEDED,
        width=64,
        height=48,
        detections=Detections(
            xyxy=np.array([[i, i, i + 8.5, i + 8.5] for i in range(count)]).reshape(count, 4),
            scores=np.array([0.5 + 0.25 * i for i in range(count)]),
            class_ids=np.array(classes, dtype=np.int64),
            labels=LABELS,
        ),
        annotated=f"annotated/{key}.jpg",
    )


def broken(index: int, key: str) -> ResultRow:
    item = ItemRef(index, key, size=9)
    return ResultRow.quarantined(item, task="detect", model="m", reason="decode_failed: no\x07pe")


@pytest.fixture
def job(bench: Bench) -> Hold:
    """Job `abc`: a published part, a committed one that is only staged, and one that runs."""
    bench.job("abc", [2, 2, 1])
    first, second = bench.run("abc"), bench.run("abc")
    bench.run("abc")
    output = bench.output("abc")
    part = encode_rows([found(0, "a.jpg", 0, 1), broken(1, "b\n.jpg")])
    output.put("results/part-000000.parquet", part)
    bench.commit(first, quarantined=1)
    bench.publish(first)
    staged = encode_rows([found(2, "c.jpg", 1), found(3, "d[1].jpg")])
    output.put("_attempts/000001/1/part.parquet", staged)
    bench.commit(second)
    return second


def rows(regatta: Regatta, *words: str) -> list[dict[str, Any]]:
    result = regatta("results", "abc", *words)
    assert result.exit_code == 0, result.stderr
    return [json.loads(line) for line in result.stdout.splitlines()]


def items(regatta: Regatta, *words: str) -> list[str]:
    return [row["item"] for row in rows(regatta, *words)]


def test_every_committed_row_while_the_job_runs(regatta: Regatta, job: Hold) -> None:
    assert items(regatta) == ["a.jpg", "b\n.jpg", "c.jpg", "d[1].jpg"]
    first, second, *_ = rows(regatta)
    assert [(d["label"], d["score"]) for d in first["detections"]] == [
        ("boat", 0.5),
        ("buoy", 0.75),
    ]
    assert (second["state"], second["detections"]) == ("quarantined", None)


def test_a_part_that_was_published_meanwhile_is_found(
    bench: Bench, regatta: Regatta, job: Hold
) -> None:
    output = bench.output("abc")
    output.copy("_attempts/000001/1/part.parquet", "results/part-000001.parquet")
    output.delete("_attempts/000001/1/part.parquet")
    assert items(regatta)[2:] == ["c.jpg", "d[1].jpg"]
    bench.publish(job)
    assert items(regatta)[2:] == ["c.jpg", "d[1].jpg"]


def test_filters(regatta: Regatta, job: Hold) -> None:
    assert items(regatta, "--item", "d[1].jpg") == ["d[1].jpg"]
    assert items(regatta, "--item", "a*", "--item", "c*") == ["a.jpg", "c.jpg"]
    assert items(regatta, "--state", "quarantined") == ["b\n.jpg"]
    assert items(regatta, "--label", "buoy") == ["a.jpg", "c.jpg"]
    assert items(regatta, "--min-score", "0.6") == ["a.jpg"]
    assert items(regatta, "--label", "boat", "--min-score", "0.6") == []
    [row] = rows(regatta, "--min-score", "0.6")
    assert [d["label"] for d in row["detections"]] == ["buoy"]


def test_csv_has_a_line_per_detection_and_no_silent_item(regatta: Regatta, job: Hold) -> None:
    out = regatta("results", "abc", "--format", "csv").stdout
    lines = list(csv.DictReader(io.StringIO(out)))
    assert [(line["item"], line["label"]) for line in lines] == [
        ("a.jpg", "boat"),
        ("a.jpg", "buoy"),
        ("b\n.jpg", ""),
        ("c.jpg", "buoy"),
        ("d[1].jpg", ""),
    ]
    assert [lines[1][corner] for corner in ("x1", "y1", "x2", "y2")] == ["1.0", "1.0", "9.5", "9.5"]
    assert lines[2]["reason"].startswith("decode_failed")


def test_tables_are_harmless(regatta: Regatta, job: Hold) -> None:
    out = regatta("results", "abc", "--format", "table").stdout
    assert len(out.splitlines()) == 5
    assert r"b\n.jpg" in out
    assert "buoy 0.75" in out
    assert "\x07" not in out


def test_quarantined_items_with_their_reasons(regatta: Regatta, job: Hold) -> None:
    result = regatta("quarantine", "list", "abc")
    [row] = [json.loads(line) for line in result.stdout.splitlines()]
    assert (row["item"], row["reason"]) == ("b\n.jpg", "decode_failed: no\x07pe")
    table = regatta("quarantine", "list", "abc", "--format", "table").stdout
    assert table.splitlines()[1] == r"b\n.jpg  decode_failed: no\x07pe"


def test_the_summary_says_what_was_found_and_where(
    bench: Bench, regatta: Regatta, job: Hold
) -> None:
    end = snapshot(bench.db, load_settings(), "abc")
    text = "\n".join(summary(bench.db, end, 61.0))
    assert "Job abc (abc): running in 1m 01s" in text
    assert "items        5 listed: 3 succeeded, 1 quarantined, 1 pending" in text
    assert "found        2 buoy, 1 boat" in text
    assert f"results      {bench.root}/abc/results/" in text
    assert r"    b\n.jpg: decode_failed: no\x07pe" in text
    assert "regatta quarantine retry abc" in text
