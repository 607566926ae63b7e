"""Compares Regatta with PaddleDetection's `deploy/python/infer.py`: same model, images, machine.

    python -m benchmarks.official --paddledetection CHECKOUT --python PYTHON \\
        --model EXPORT --images DIR

Both read every image, run the model in batches of the same size with as many threads as there are
cores, draw the detections, and write a JPEG of quality 95 (which `infer.py` always uses).
`infer.py` runs on oneDNN unless `--plain` is given, Regatta only if it found that right for the
model. Time counts from the loaded model to the last image written. The sides run in turn, each in
its own process, `--rounds` times; the medians are compared.

`CHECKOUT` is a checkout of PaddleDetection and `PYTHON` the interpreter of an environment with its
requirements and the same version of Paddle; neither is part of this project.
"""

import os
import statistics
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

from benchmarks.figures import Figure, options, quiet, report

CORES = len(os.sched_getaffinity(0))
_QUALITY = 95
_SIDE = Path(__file__).with_name("official_side.py")
_REPOSITORY = Path(__file__).parent.parent
_OURS = """
import sys
import time
from pathlib import Path
from benchmarks.figures import quiet
from benchmarks.ours import LoadedPipeline
model, images, output, batch, threads, quality = sys.argv[1:]
quiet()
paths = sorted(path.absolute() for path in Path(images).iterdir())
pipeline = LoadedPipeline(Path(model), batch=int(batch), threads=int(threads), quality=int(quality))
wall, cpu = time.perf_counter(), time.process_time()
pipeline.run(paths, Path(output), annotate=True)
print(f"seconds: {time.perf_counter() - wall:.3f} {time.process_time() - cpu:.3f}")
"""


@dataclass(frozen=True)
class Side:
    """Seconds of wall and CPU time for all images."""

    seconds: float
    cpu: float


def official(told: "Told", output: Path) -> Side:
    """Run PaddleDetection's tool."""
    return _timed(
        [
            str(told.python),
            str(_SIDE),
            str(told.paddledetection / "deploy" / "python" / "infer.py"),
            f"--model_dir={told.model}",
            f"--image_dir={told.images}",
            f"--output_dir={output}",
            f"--batch_size={told.batch}",
            "--device=CPU",
            f"--enable_mkldnn={told.onednn}",
            f"--cpu_threads={CORES}",
            "--threshold=0.5",
        ]
    )


def ours(told: "Told", output: Path) -> Side:
    """Run a worker's pipeline."""
    words = [told.model, told.images, output, told.batch, CORES, _QUALITY]
    return _timed([sys.executable, "-c", _OURS, *map(str, words)])


def _timed(command: list[str]) -> Side:
    done = subprocess.run(
        command, cwd=_REPOSITORY, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False
    )
    said = done.stdout.decode(errors="replace")
    last = said.rstrip().rpartition("\n")[2]
    if done.returncode or not last.startswith("seconds: "):
        raise SystemExit(f"{command[0]} failed:\n{said[-3000:]}")
    wall, cpu = map(float, last.split()[1:])
    return Side(wall, cpu)


@dataclass(frozen=True)
class Told:
    paddledetection: Path
    python: Path
    model: Path
    images: Path
    batch: int
    onednn: bool


def main() -> int:
    parser = options(__doc__)
    parser.add_argument("--paddledetection", type=Path, required=True, help="a checkout")
    parser.add_argument("--python", type=Path, required=True, help="its environment's Python")
    parser.add_argument("--model", type=Path, required=True, help="an exported detector")
    parser.add_argument("--images", type=Path, required=True, help="a folder of JPEGs")
    parser.add_argument("--batch", type=int, default=8)
    parser.add_argument("--plain", action="store_true", help="run infer.py without oneDNN")
    parser.add_argument("--rounds", type=int, default=5)
    given = parser.parse_args()
    quiet()
    told = Told(
        given.paddledetection.absolute(),
        given.python.absolute(),
        given.model.absolute(),
        given.images.absolute(),
        given.batch,
        not given.plain,
    )
    number = sum(1 for _ in told.images.iterdir())
    rounds: list[tuple[Side, Side]] = []
    for _ in range(given.rounds):
        with tempfile.TemporaryDirectory() as scratch:
            theirs, mine = Path(scratch, "official"), Path(scratch, "ours")
            rounds.append((official(told, theirs), ours(told, mine)))
            for output in (theirs, mine):
                written = sum(1 for path in output.rglob("*.jpg"))
                assert written == number, f"{written} of {number} pictures in {output}"
    figures = [
        Figure("times as fast", statistics.median(o.seconds / m.seconds for o, m in rounds), "", 2),
        Figure(
            "CPU of infer.py / CPU of Regatta",
            statistics.median(o.cpu / m.cpu for o, m in rounds),
            "",
        ),
        Figure("Regatta", statistics.median(number / m.seconds for _, m in rounds), "images/s"),
        Figure("infer.py", statistics.median(number / o.seconds for o, _ in rounds), "images/s"),
        Figure(
            "Regatta CPU", statistics.median(1000 * m.cpu / number for _, m in rounds), "ms/image"
        ),
        Figure(
            "infer.py CPU", statistics.median(1000 * o.cpu / number for o, _ in rounds), "ms/image"
        ),
    ]
    how = {
        "images": number,
        "model": told.model.name,
        "batch": told.batch,
        "threads": CORES,
        "onednn": told.onednn,
        "rounds": given.rounds,
    }
    report("beside PaddleDetection's infer.py", figures, how, given.json)
    return 0


if __name__ == "__main__":
    sys.exit(main())
