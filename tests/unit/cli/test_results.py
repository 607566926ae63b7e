import contextlib
import csv
import io
import json
import os
import pty
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import pytest

from cli.show.summary import summary
from config.settings import load_settings
from core.items import ItemRef
from core.states import ItemState
from core.work import Hold
from predictions.answer import ClassScore
from predictions.detections import Detections
from report.snapshot import snapshot
from store.manifests import encode_items
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
    none = regatta("results", "abc", "--label", "ship", "--format", "table")
    assert (none.stdout, none.stderr) == ("", "there are no results that fit\n")
    [row] = rows(regatta, "--min-score", "0.6")
    assert [d["label"] for d in row["detections"]] == ["buoy"]


def test_an_item_is_found_without_reading_other_parts(
    bench: Bench, regatta: Regatta, job: Hold
) -> None:
    output = bench.output("abc")
    keys = ["a.jpg", "b\n.jpg", "c.jpg", "d[1].jpg", "e.jpg"]
    listed = encode_items([ItemRef(index, key) for index, key in enumerate(keys)])
    output.put("items/part-00000-1.parquet", listed)
    output.delete("results/part-000000.parquet")
    assert items(regatta, "--item", "c.jpg") == ["c.jpg"]
    assert items(regatta, "--item", "e.jpg", "--item", "z.jpg") == []
    assert regatta("results", "abc", "--item", "a.jpg").exit_code == 1
    output.delete("items/part-00000-1.parquet")  # then all parts have to be read
    assert "part-000000.parquet is missing" in regatta("results", "abc", "--item", "c.jpg").stderr


def test_filters_of_boxes_models_and_times(regatta: Regatta, job: Hold) -> None:
    assert items(regatta, "--min-area", "72") == ["a.jpg", "c.jpg"]
    assert items(regatta, "--min-area", "72.3") == []
    assert items(regatta, "--text", "x") == items(regatta, "--track", "1") == []
    assert items(regatta, "--model", "other") == items(regatta, "--from", "0.5") == []
    assert len(items(regatta, "--model", "m")) == 4
    assert "'(' is not a regular expression" in regatta("results", "abc", "--text", "(").stderr


def test_order(regatta: Regatta, job: Hold) -> None:
    assert items(regatta, "--sort", "-score") == ["a.jpg", "c.jpg", "b\n.jpg", "d[1].jpg"]
    assert items(regatta, "--sort", "score", "--limit", "1") == ["c.jpg"]
    assert items(regatta, "--sort", "-item") == ["d[1].jpg", "c.jpg", "b\n.jpg", "a.jpg"]


def test_some_columns(regatta: Regatta, job: Hold) -> None:
    assert rows(regatta, "--columns", "item,state", "--limit", "1") == [
        {"item": "a.jpg", "state": "succeeded"}
    ]
    out = regatta("results", "abc", "--columns", "item, label,area", "--format", "csv").stdout
    assert out.splitlines()[:3] == ["item,label,area", "a.jpg,boat,72.25", "a.jpg,buoy,72.25"]
    failed = regatta("results", "abc", "--columns", "lable")
    assert failed.exit_code == 2
    assert "there is no column 'lable': did you mean 'label'?" in failed.stderr


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


def test_a_limit_is_said_and_kept(regatta: Regatta, job: Hold) -> None:
    result = regatta("results", "abc", "--limit", "3", "--format", "table")
    assert len(result.stdout.splitlines()) == 4
    assert result.stderr == "… 1 more: --limit 0 or --format csv\n"
    assert items(regatta, "--limit", "0") == items(regatta)
    assert items(regatta, "--limit", "2", "--state", "succeeded") == ["a.jpg", "c.jpg"]


def test_a_terminal_is_not_flooded(tmp_path: Path) -> None:
    rows = [found(number, f"{number:04d}.jpg") for number in range(1_200)]
    folder = tmp_path / "results"
    folder.mkdir()
    (folder / "part-000000.parquet").write_bytes(encode_rows(rows))
    ours, theirs = pty.openpty()
    with subprocess.Popen(
        [sys.executable, "-P", "-c", "from regatta import main; main()", "results", f"{tmp_path}/"],
        env={**os.environ, "COLUMNS": "60"},
        stdout=theirs,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        os.close(theirs)
        with os.fdopen(ours, "rb") as terminal:
            lines = list(_until_hung_up(terminal))
        assert process.stderr is not None
        assert "… 1,150 more: --limit 0 or --format csv" in process.stderr.read()
    assert len(lines) == 1 + 50
    assert max(map(len, lines)) <= 60


def _until_hung_up(terminal: BinaryIO) -> Iterator[str]:
    """Linux says that a terminal is closed by an error, not by an end."""
    with contextlib.suppress(OSError):
        while line := terminal.readline():
            yield line.decode().rstrip()


def test_an_output_is_read_wherever_it_is_without_the_job(
    bench: Bench, regatta: Regatta, job: Hold, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    there = items(regatta, "--limit", "2")
    moved = tmp_path / "moved"
    (bench.root / "abc").rename(moved)
    gone = regatta("results", "abc")
    assert gone.exit_code == 1
    assert f"results/part-000000.parquet is missing in {bench.root / 'abc'}" in gone.stderr
    assert "regatta results FOLDER" in gone.stderr

    home = tmp_path / "no home yet"
    monkeypatch.setenv("REGATTA_HOME", str(home))
    found = regatta("results", f"{moved}/")
    assert [json.loads(line)["item"] for line in found.stdout.splitlines()] == there
    assert "there is no manifest.json" in found.stderr

    parts = [{"key": "results/part-000000.parquet"}, {"key": "results/part-000001.parquet"}]
    (moved / "manifest.json").write_text(json.dumps({"format": 1, "parts": parts}))
    found = regatta("results", str(moved), "--format", "csv")
    assert found.exit_code == 1
    assert len(list(csv.DictReader(io.StringIO(found.stdout)))) == 3
    assert f"results/part-000001.parquet is missing in {moved}" in found.stderr
    shutil.copy(moved / "results/part-000000.parquet", moved / "results/part-000001.parquet")
    monkeypatch.chdir(moved)
    found = regatta("results", ".")
    assert (found.exit_code, found.stdout.count("\n"), found.stderr) == (0, 4, "")
    assert not home.exists()


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (None, "there is no job's output in"),
        ("{", "is not that of a job's output"),
        ('{"format": 1, "parts": ["x"]}', "is not that of a job's output"),
        ('{"format": 2, "parts": []}', "needs a newer Regatta"),
    ],
)
def test_a_folder_that_is_no_output(
    content: str | None, words: str, regatta: Regatta, tmp_path: Path
) -> None:
    if content:
        (tmp_path / "manifest.json").write_text(content)
    result = regatta("results", str(tmp_path))
    assert result.exit_code != 0
    assert words in result.stderr
    assert str(tmp_path) in result.stderr or "newer" in words


def test_a_folder_without_a_slash_is_no_job(bench: Bench, regatta: Regatta) -> None:
    (bench.root / "moved").mkdir()
    assert "hint: a folder has a slash: ./moved" in regatta("results", "moved").stderr
    assert "`regatta jobs`" in regatta("results", "nothing").stderr


def test_text_is_what_a_table_shows_of_ocr(bench: Bench, regatta: Regatta) -> None:
    lines = Detections(
        xyxy=np.zeros((2, 4), np.float32),
        scores=np.ones(2, np.float32),
        class_ids=np.zeros(2, np.int32),
        labels=("text",),
        texts=("Invoice 2026-117", "due by 31 December"),
    )
    sky = (ClassScore("sky", 1, 0.62), ClassScore("water", 2, 0.38))
    rows = [
        replace(found(0, "page.png"), task="ocr", detections=lines),
        replace(found(1, "lake.png"), task="segment", detections=None, classes=sky),
    ]
    bench.output("both").put("results/part-000000.parquet", encode_rows(rows))
    out = regatta("results", str(bench.root / "both"), "--format", "table").stdout.splitlines()
    assert out[0].split() == ["ITEM", "STATE", "FOUND", "TEXT", "REASON", "ANNOTATED"]
    assert "2 lines " in out[1]
    assert "  Invoice 2026-117 / due by 31 December  " in out[1]
    assert "  sky 62%, water 38%  " in out[2]


def test_quarantined_items_with_their_reasons(regatta: Regatta, job: Hold) -> None:
    result = regatta("quarantine", "list", "abc")
    [row] = [json.loads(line) for line in result.stdout.splitlines()]
    assert (row["item"], row["reason"]) == ("b\n.jpg", "decode_failed: no\x07pe")
    table = regatta("quarantine", "list", "abc", "--format", "table").stdout
    assert table.splitlines()[3] == r"b\n.jpg  decode_failed: no\x07pe"


def test_the_summary_says_what_was_found_and_where(
    bench: Bench, regatta: Regatta, job: Hold
) -> None:
    end = snapshot(bench.db, load_settings(), "abc")
    text = "\n".join(summary(bench.db, end))
    assert "Job abc (abc): running\n" in text
    assert "items        5 listed: 3 succeeded, 1 quarantined, 1 pending" in text
    assert "found        2 buoy, 1 boat in 2 of 3 items" in text
    assert f"results      {bench.root}/abc/results/" in text
    assert r"    b\n.jpg: decode_failed: no\x07pe" in text
    assert "regatta quarantine retry abc" in text


def test_a_warning_is_shown_wherever_results_are(bench: Bench, regatta: Regatta) -> None:
    bench.job("abc", [2])
    odd = replace(found(0, "a.jpg", 0), warning="damaged: its data ends early")
    output = bench.output("abc")
    output.put("results/part-000000.parquet", encode_rows([odd, found(1, "b.jpg", 1)]))
    hold = bench.run("abc")
    bench.commit(hold)
    bench.publish(hold)
    first, second = rows(regatta)
    assert first["warning"] == odd.warning
    assert "warning" not in second
    assert str(odd.warning) in regatta("results", "abc", "--format", "csv").stdout
    table = regatta("results", "abc", "--format", "table").stdout
    assert "WARNING" in table
    told = list(summary(bench.db, snapshot(bench.db, load_settings(), "abc")))
    assert "  warnings     1 item read although something is odd:" in told
    assert "    a.jpg: damaged: its data ends early" in told
