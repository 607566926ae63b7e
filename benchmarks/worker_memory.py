"""Measures how much memory a worker's pipeline holds at its highest, case by case.

    python -m benchmarks.worker_memory [--case NAME ...] [--threads N] [--json FILE]

Each case runs in a process of its own, whose peak the kernel counts (`VmHWM`), libraries included.
`loaded` is what the process holds once each of its predictors has run the largest batch of the
case, made of one small file; `peak` is the highest that it had in the case; `above` is their
difference: pictures in flight, and memory that was freed but not given back.

- photos: the shipped detector over 400 JPEGs of photographs' sizes, 0.3 to 12 megapixels;
- scans: the same over 60 TIFFs and PNGs of 8 and 16 bits, 2 to 24 megapixels;
- pages: the shipped text models over 120 pages of different sizes, 30 lines each;
- large: one progressive and one plain JPEG and one PNG of 14,000 x 14,000 pixels.
"""

import os
import re
import sys
import tempfile
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

import cv2
import numpy as np

from benchmarks.figures import Figure, options, quiet, report
from benchmarks.ours import LoadedPipeline
from benchmarks.tasks import model_of
from core.options import ModelRef
from core.tasks import OCR, TEXT_DET, TEXT_REC
from registry.chosen_model import describe
from sample.shipped import DETECTOR, EXPORTS

CORES = len(os.sched_getaffinity(0))
BATCH = 8
MIB = 1 << 20
_PHOTOS = ((640, 480), (1024, 768), (1920, 1080), (3000, 2000), (4000, 3000))
_SCANS = ((1700, 1100), (2480, 3508), (4000, 3000), (6000, 4000))
_LARGE = 14_000


def peak() -> int:
    """Return the most resident bytes that this process has had since `forget_peak`."""
    status = Path("/proc/self/status").read_text(encoding="ascii")
    found = re.search(r"VmHWM:\s+(\d+) kB", status)
    assert found
    return int(found[1]) * 1024


def forget_peak() -> None:
    """Have `peak` begin again with what is resident now."""
    Path("/proc/self/clear_refs").write_text("5", encoding="ascii")


def photos(folder: Path) -> list[Path]:
    rng = np.random.default_rng(1)
    for number, size_wh in enumerate(_PHOTOS):
        picture = cv2.resize(_coarse(rng), size_wh, interpolation=cv2.INTER_CUBIC)
        cv2.imwrite(str(folder / f"{number}.jpg"), picture)
    return sorted(folder.iterdir()) * (400 // len(_PHOTOS))


def scans(folder: Path) -> list[Path]:
    rng = np.random.default_rng(1)
    for number, size_wh in enumerate(_SCANS):
        picture = cv2.resize(_coarse(rng), size_wh, interpolation=cv2.INTER_CUBIC)
        cv2.imwrite(str(folder / f"{number}.png"), picture)
        cv2.imwrite(str(folder / f"{number}.tiff"), picture.astype(np.uint16) * 257)
    return sorted(folder.iterdir()) * (60 // (2 * len(_SCANS)))


def pages(folder: Path) -> list[Path]:
    rng = np.random.default_rng(1)
    for number in range(120):
        width, height = (int(side) for side in rng.integers(600, 2600, 2))
        page = np.full((height, width, 3), 255, np.uint8)
        for line in range(30):
            text = "".join(rng.choice(list("ABCDEFGHKLMNOPRSTUVWXYZ0123456789"), 4 + line))
            at = (20, round((line + 1) * height / 31))
            cv2.putText(page, text, at, cv2.FONT_HERSHEY_SIMPLEX, height / 1200, (0, 0, 0), 2)
        cv2.imwrite(str(folder / f"{number:03}.png"), page)
    return sorted(folder.iterdir())


def large(folder: Path) -> list[Path]:
    rng = np.random.default_rng(1)
    picture = cv2.resize(_coarse(rng), (_LARGE, _LARGE), interpolation=cv2.INTER_LINEAR)
    cv2.imwrite(str(folder / "plain.jpg"), picture)
    cv2.imwrite(str(folder / "progressive.jpg"), picture, [cv2.IMWRITE_JPEG_PROGRESSIVE, 1])
    cv2.imwrite(str(folder / "picture.png"), picture, [cv2.IMWRITE_PNG_COMPRESSION, 1])
    return sorted(folder.iterdir())


def _coarse(rng: np.random.Generator) -> cv2.typing.MatLike:
    return rng.integers(0, 256, (60, 80, 3), np.uint8)


def _detector() -> ModelRef:
    return describe(DETECTOR)


def _texts() -> ModelRef:
    return model_of(EXPORTS, OCR, {TEXT_DET: "regatta_text_det", TEXT_REC: "regatta_text_rec"})


_CASES: dict[str, tuple[Callable[[Path], list[Path]], Callable[[], ModelRef]]] = {
    "photos": (photos, _detector),
    "scans": (scans, _detector),
    "pages": (pages, _texts),
    "large": (large, _detector),
}


# MiB above the loaded models. A large picture is too large by itself. Paddle keeps memory for each
# shape of input, and lines of text have hundreds: how much depends on which batches meet.
_MOST = {"photos": 712, "scans": 712, "pages": 960}


def measure(case: str, paths: Sequence[Path], output: Path, threads: int) -> list[Figure]:
    quiet()
    pipeline = LoadedPipeline(_CASES[case][1](), batch=BATCH, threads=threads)
    first = output / "first.png"
    side = 1280 if case == "pages" else 64
    cv2.imwrite(str(first), np.full((side, side, 3), 255, np.uint8))
    at_once = threads if case == "pages" else BATCH * threads
    for _ in range(4):
        pipeline.run([first] * at_once, output, annotate=True)
    forget_peak()
    loaded = peak()
    pipeline.run(paths, output, annotate=False)
    seen = peak()
    goal = _MOST.get(case)
    return [
        Figure(f"{case}, loaded", loaded / MIB, "MiB"),
        Figure(f"{case}, peak", seen / MIB, "MiB"),
        Figure(f"{case}, above", (seen - loaded) / MIB, "MiB", goal, is_limit=True),
    ]


def main() -> int:
    parser = options(__doc__)
    parser.add_argument("--case", choices=list(_CASES), action="append")
    parser.add_argument("--threads", type=int, default=CORES)
    told = parser.parse_args()
    figures: list[Figure] = []
    for case in told.case or _CASES:
        with tempfile.TemporaryDirectory() as scratch:
            folder, output = Path(scratch, "pictures"), Path(scratch, "output")
            folder.mkdir()
            output.mkdir()
            # Pictures are made in another process, too, as this one's memory is inherited.
            with ProcessPoolExecutor(1, get_context("spawn")) as process:
                paths = process.submit(_CASES[case][0], folder).result()
            with ProcessPoolExecutor(1, get_context("spawn")) as process:
                figures += process.submit(measure, case, paths, output, told.threads).result()
    quiet()
    report("worker memory", figures, {"batch": BATCH, "threads": told.threads}, told.json)
    return 0


if __name__ == "__main__":
    sys.exit(main())
