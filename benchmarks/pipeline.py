r"""Measures images per second through a worker's pipeline, and what bare functions would allow.

    python -m benchmarks.pipeline [--images DIR] [--model EXPORT] [--rounds 5] [--json FILE] \
        [--reference plain|onednn]

By default, drawn scenes and the shipped detector are used, which is good for comparing two versions
of the code; a real model and real photos show what to expect.

Both sides run in turn, `--rounds` times, without and with annotation, so that a machine whose speed
drifts treats them alike; medians are given.

- pipeline: a worker's pipeline on the images, with encoded results;
- reference: as many threads as cores, each with its own predictor, call the functions of
  `benchmarks.reference` in sequence. Their predictors use oneDNN if Regatta found it right for the
  model, so that both run the same network; `--reference` overrides this.

The share that the pipeline reaches is its images per second, divided by what the cores could do if
they ran nothing but the reference functions: cores / (sum of their CPU seconds per image). If
others use the cores too, nobody gets all of them: in each round as many threads as cores sort
numbers for a second, and the cores that they got are reported, with the share of those. The ratios
to the reference, in images per second and CPU seconds, are valid even then.
"""

import os
import statistics
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import cv2
import numpy as np

from benchmarks.figures import Figure, options, quiet, report
from benchmarks.ours import LoadedPipeline
from benchmarks.reference import Reference
from core.ways import Way
from sample.shipped import DETECTOR
from tests.nets import export_blob_detector
from tests.scenes import draw_blobs

CORES = len(os.sched_getaffinity(0))
BATCH = 8
_SCENES = 400
_SPIN_SECONDS = 1.0
_SCENE_SIZE = (640, 480)


@dataclass(frozen=True)
class Measured:
    """What one side took; `functions` are the reference's CPU seconds by function."""

    images: int
    wall: float
    cpu: float
    functions: dict[str, float] = field(default_factory=dict)

    @property
    def rate(self) -> float:
        return self.images / self.wall


@dataclass(frozen=True)
class Round:
    """One turn of both sides; `cores` are those that busy threads got."""

    pipeline: Measured
    reference: Measured
    cores: float

    def share_of(self, cores: float) -> float:
        """Return images per second over what `cores` cores could do with the functions alone."""
        needed = sum(self.reference.functions.values()) / self.reference.images
        return self.pipeline.rate * needed / cores


def measured(images: int, work: Callable[[], object]) -> Measured:
    wall, cpu = time.perf_counter(), time.process_time()
    work()
    return Measured(images, time.perf_counter() - wall, time.process_time() - cpu)


class Bench:
    def __init__(
        self, model: Path, paths: Sequence[Path], output: Path, reference: Way | None
    ) -> None:
        self._paths = paths
        self._output = output
        self._pipeline = LoadedPipeline(model, batch=BATCH, threads=CORES)
        self.way = self._pipeline.way
        self.reference = reference or self.way
        if self.reference is Way.ONEDNN_UNPLACED:
            raise SystemExit("the reference has no such predictor: name one with --reference")
        onednn = self.reference is Way.ONEDNN
        self._references = [Reference(model, BATCH, onednn=onednn) for _ in range(CORES)]

    def turn(self, *, annotate: bool) -> Round:
        output = self._output / ("annotated" if annotate else "plain")
        return Round(
            self._measure_pipeline(output, annotate),
            self._measure_reference(annotate),
            cores_there_are(),
        )

    def _measure_pipeline(self, output: Path, annotate: bool) -> Measured:
        return measured(
            len(self._paths),
            lambda: self._pipeline.run(self._paths, output, annotate=annotate),
        )

    def _measure_reference(self, annotate: bool) -> Measured:
        pictures = self._output / "reference" if annotate else None
        if pictures is not None:
            pictures.mkdir(parents=True, exist_ok=True)
        for reference in self._references:
            reference.seconds.clear()

        def loop(number: int) -> None:
            self._references[number].run(self._paths[number::CORES], pictures)

        taken = measured(len(self._paths), lambda: in_threads(loop))
        functions = {
            name: sum(reference.seconds[name] for reference in self._references)
            for name in self._references[0].seconds
        }
        return Measured(taken.images, taken.wall, taken.cpu, functions)


def in_threads(work: Callable[[int], None]) -> None:
    threads = [threading.Thread(target=work, args=(number,)) for number in range(CORES)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def cores_there_are() -> float:
    """Return how many cores' worth of time busy threads get, one per core."""
    numbers = np.random.default_rng(0).random((256, 4096))
    until = time.perf_counter() + _SPIN_SECONDS

    def spin(_: int) -> None:
        while time.perf_counter() < until:
            np.sort(numbers, axis=1)

    spun = measured(0, lambda: in_threads(spin))
    return spun.cpu / spun.wall


def figures_of(rounds: Sequence[Round], goal: float) -> list[Figure]:
    def median(of: Callable[[Round], float]) -> float:
        return statistics.median(map(of, rounds))

    functions = rounds[0].reference.functions
    return [
        Figure("share of the cores", median(lambda r: r.share_of(CORES)), "", goal),
        Figure("  cores that busy threads got", median(lambda r: r.cores), "cores"),
        Figure("  share of those", median(lambda r: r.share_of(r.cores)), ""),
        Figure(
            "of the reference's images/s", median(lambda r: r.pipeline.rate / r.reference.rate), ""
        ),
        Figure("pipeline", median(lambda r: r.pipeline.rate), "images/s"),
        Figure("reference, threads", median(lambda r: r.reference.rate), "images/s"),
        Figure("pipeline CPU", median(lambda r: _each(r.pipeline, r.pipeline.cpu)), "ms/image"),
        Figure("reference CPU", median(lambda r: _each(r.reference, r.reference.cpu)), "ms/image"),
        *(
            Figure(
                f"  {name}",
                median(lambda r, name=name: _each(r.reference, r.reference.functions[name])),  # type: ignore[misc]
                "ms/image",
            )
            for name in functions
        ),
    ]


def _each(taken: Measured, seconds: float) -> float:
    return 1000 * seconds / taken.images


def drawn_scenes(folder: Path) -> Path:
    folder.mkdir()
    for seed in range(_SCENES):
        image, _ = draw_blobs(seed, size=_SCENE_SIZE)
        cv2.imwrite(str(folder / f"{seed:04d}.jpg"), image)
    return folder


def default_model(scratch: Path) -> Path:
    """Return the shipped detector, or the tests' tiny one if there is none yet."""
    is_there = (DETECTOR / "model.json").is_file()
    return DETECTOR if is_there else export_blob_detector(scratch / "model")


def main() -> int:
    parser = options(__doc__)
    parser.add_argument("--images", type=Path, help="a folder of images")
    parser.add_argument("--model", type=Path, help="an exported detector")
    parser.add_argument("--reference", type=Way, choices=[Way.PLAIN, Way.ONEDNN])
    parser.add_argument("--rounds", type=int, default=5)
    told = parser.parse_args()
    quiet()
    with tempfile.TemporaryDirectory() as scratch:
        images = told.images or drawn_scenes(Path(scratch, "images"))
        model = (told.model or default_model(Path(scratch))).absolute()
        paths = sorted(path.absolute() for path in images.iterdir() if path.is_file())
        bench = Bench(model, paths, Path(scratch, "output"), told.reference)
        for annotate in (False, True):
            bench.turn(annotate=annotate)  # first runs are not representative
        plain, annotated = [], []
        for _ in range(told.rounds):
            plain.append(bench.turn(annotate=False))
            annotated.append(bench.turn(annotate=True))
    how = {
        "images": len(paths),
        "pixels": "own" if told.images else "x".join(map(str, _SCENE_SIZE)),
        "model": model.name,
        "batch": BATCH,
        "rounds": told.rounds,
        "way": bench.way,
        "reference": bench.reference,
    }
    beside = told.json.with_stem(f"{told.json.stem}-annotated") if told.json else None
    report("pipeline", figures_of(plain, 0.85), how, told.json)
    report("pipeline, annotated", figures_of(annotated, 0.85), how, beside)
    return 0


if __name__ == "__main__":
    sys.exit(main())
