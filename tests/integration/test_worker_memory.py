"""A worker's memory stays within what `docs/operating.md` promises."""

import subprocess
import sys

import pytest


@pytest.mark.proof
@pytest.mark.parametrize("case", ["photos", "scans", "pages"])
def test_pictures_of_all_sizes_take_no_more_than_promised(case: str) -> None:
    told = subprocess.run(
        [sys.executable, "-m", "benchmarks.worker_memory", "--case", case],
        capture_output=True,
        text=True,
        check=False,
    )
    assert told.returncode == 0, told.stdout + told.stderr
    assert f"{case}, above" in told.stdout
