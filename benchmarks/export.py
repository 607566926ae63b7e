"""Measures `regatta export --to coco` of a large job: seconds, and the most memory it held.

    python -m benchmarks.export [--images 100000] [--boxes 10] [--to coco]

The command runs as a process of its own, on a job of so many images with so many boxes each; and
before, on a tenth of them: flat memory is as much for both. Python's start is included.
"""

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from benchmarks import figures
from benchmarks.synthetic import JOB, fill
from migrations.upgrade import upgrade
from store.database import Database

_PART = 1_000
_MIB = 2**20
_GOAL_SECONDS = 30
_HAVE_PICTURES = {"coco", "yolo", "voc", "cvat"}


def exported(images: int, boxes: int, form: str) -> tuple[float, float, float]:
    """Return an export's seconds, CPU seconds and most resident MiB."""
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        url = f"sqlite:///{home}/regatta.db"
        upgrade(url)
        db = Database(url)
        fill(db, home / "output", images, boxes, _PART)
        db.close()
        options = ["--to", form, *(["--images", "leave"] if form in _HAVE_PICTURES else [])]
        command = [sys.executable, "-m", "regatta", "export", JOB, str(home / "export"), *options]
        begun = time.perf_counter()
        process = subprocess.Popen(command, env={**os.environ, "REGATTA_HOME": folder})
        _, status, usage = os.wait4(process.pid, 0)
        seconds = time.perf_counter() - begun
        process.returncode = os.waitstatus_to_exitcode(status)
        assert process.returncode == 0, f"the export failed with {process.returncode}"
        return seconds, usage.ru_utime + usage.ru_stime, usage.ru_maxrss * 1024 / _MIB


def main() -> int:
    parser = figures.options(__doc__)
    parser.add_argument("--images", type=int, default=100_000)
    parser.add_argument("--boxes", type=int, default=10)
    parser.add_argument("--to", default="coco")
    chosen = parser.parse_args()
    figures.quiet()
    tenth = exported(chosen.images // 10, chosen.boxes, chosen.to)
    seconds, cpu, most = exported(chosen.images, chosen.boxes, chosen.to)
    is_goal = chosen.to == "coco" and (chosen.images, chosen.boxes) == (100_000, 10)
    found = [
        figures.Figure(
            "seconds", seconds, "s", goal=_GOAL_SECONDS if is_goal else None, is_limit=True
        ),
        figures.Figure("CPU seconds", cpu, "s"),
        figures.Figure("most memory", most, "MiB"),
        figures.Figure("most memory of a tenth", tenth[2], "MiB"),
    ]
    how = {"images": chosen.images, "boxes": chosen.boxes, "to": chosen.to}
    figures.report("export", found, how, chosen.json)
    return 0


if __name__ == "__main__":
    sys.exit(main())
