"""A report is made while the parts stream by, in memory that does not grow with the job."""

import os
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest

from core.items import ItemRef
from core.layout import part_name, results_part
from core.states import ItemState
from predictions.detections import Detections
from store.parts import encode_rows
from store.results import ResultRow
from tests.bench import Bench

SHARD = 4_000
PICTURES = 16
# The process reads its own peak: what wait4() tells of a child counts its parent's memory, too.
_MEASURED = r"""
import atexit, re, sys
from regatta import main
peak = lambda: print(re.search(r"VmHWM:\s+(\d+)", open("/proc/self/status").read())[1])
atexit.register(peak)
main()
"""
LABELS = tuple(f"class {number}" for number in range(80))
FOUND = [
    Detections(
        xyxy=np.zeros((count, 4), np.float32),
        scores=np.linspace(0, 1, count, dtype=np.float32),
        class_ids=np.arange(count) * 11,
        labels=LABELS,
    )
    for count in range(7)
]


@pytest.mark.proof
def test_the_report_of_two_hundred_thousand_rows_takes_no_more_than_that_of_a_few(
    sqlite_bench: Bench,
) -> None:
    sizes = {"small": 1, "large": 50}
    reports = {}
    for job, shards in sizes.items():
        _write(sqlite_bench, job, shards)
        reports[job] = _report(sqlite_bench.root, job)
    small, large = reports["small"], reports["large"]
    assert f"{50 * SHARD:,}" in large[0].read_text(encoding="utf-8")
    assert large[1] - small[1] < 16 * 1024
    assert large[0].stat().st_size < 4_000_000


def _write(bench: Bench, job: str, shards: int) -> None:
    rng = np.random.default_rng(1)
    output = bench.output(job)
    for number in range(PICTURES):
        # Noise: the picture that compresses worst.
        pixels = rng.integers(0, 256, (960, 1280, 3), np.uint8)
        done, data = cv2.imencode(".jpg", pixels)
        assert done
        output.put(f"annotated/{number}.jpg", bytes(data))
    bench.job(job, [SHARD] * shards)
    for seq in range(shards):
        hold = bench.run(job)
        start = seq * SHARD
        part = [_row(number) for number in range(start, start + SHARD)]
        output.put(results_part(part_name(seq)), encode_rows(part))
        bench.clock.now += 1
        bench.commit(hold, quarantined=SHARD // 10)
        bench.publish(hold)


def _row(number: int) -> ResultRow:
    item = ItemRef(number, f"some/folder/with/a/name/{number:012d}.jpg", size=9)
    if number % 10 == 0:
        reason = f"truncated: it ends at byte {number}"
        return ResultRow.quarantined(item, task="detect", model="m", reason=reason)
    return ResultRow(
        item=item,
        task="detect",
        model="m",
        state=ItemState.SUCCEEDED,
        width=1280,
        height=960,
        detections=FOUND[number % len(FOUND)],
        annotated=f"annotated/{number % PICTURES}.jpg",
    )


def _report(home: Path, job: str) -> tuple[Path, int]:
    """The page of a job, and the most memory in kB that the process which made it had."""
    done = subprocess.run(
        [sys.executable, "-c", _MEASURED, "report", job],
        env={**os.environ, "REGATTA_HOME": str(home)},
        capture_output=True,
        text=True,
        check=True,
    )
    return home / job / "report.html", int(done.stdout.split()[-1])
