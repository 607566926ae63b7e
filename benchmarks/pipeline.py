"""Images a second through the pipeline, beside bare references on the same images.

    python -m benchmarks.pipeline [--images DIR] [--model EXPORT] [--rounds 5] [--json FILE]

Without images and model, drawn scenes and the tiny detector of the tests are measured: good for
comparing two versions of the code, while a real model and real photos say what to expect.

Three things run in turn, `--rounds` times, so that a machine whose speed drifts treats them
alike; medians are printed, and ratios round by round:

- pipeline: a worker's engine on the images, results encoded, annotation off and on;
- reference: what the work costs with nothing around it: as many threads as cores, each with a
  predictor of its own, calling cv2.imdecode, the preprocessing and the predictor in a loop;
- predictors: the same threads and predictors on prepared batches, nothing decoded.

CPU seconds an image are given beside wall time: they hold on a busy machine, too.
"""

import argparse
import json
import os
import statistics
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from core.items import ItemRef
from core.options import JobOptions, ModelRef
from core.profile import ExecutionProfile
from core.states import ShardKind
from core.work import Hold, WorkUnit
from store.parts import encode_rows
from tests.nets import export_blob_detector
from tests.scenes import draw_blobs
from vision.export import export_digest, read_export
from worker.detector import Detector
from worker.engine import Engine, Threads
from worker.models import Models, engine_module
from worker.predictors import paddle
from worker.run import ShardRun

CORES = len(os.sched_getaffinity(0))
BATCH = 8
SCENES = 400


@dataclass(frozen=True)
class Measured:
    images: int
    wall: float
    cpu: float

    @property
    def rate(self) -> float:
        return self.images / self.wall


def measured(images: int, work: Callable[[], None]) -> Measured:
    wall, cpu = time.perf_counter(), time.process_time()
    work()
    return Measured(images, time.perf_counter() - wall, time.process_time() - cpu)


def in_threads(work: Callable[[int], None]) -> None:
    threads = [threading.Thread(target=work, args=(number,)) for number in range(CORES)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


class Bench:
    def __init__(self, model: Path, paths: Sequence[Path], output: Path) -> None:
        self.paths = paths
        self.export = read_export(model)
        self.detector = Detector(self.export)
        offer = paddle.offers()[0]
        self.profile = ExecutionProfile(
            offer.engine, offer.version, offer.device, offer.precision, BATCH, 1, 90
        )
        self.ref = ModelRef(self.export.name, "detect", export_digest(model), str(model))
        self.output = output
        threads = Threads(fetch=4, decode=CORES, predict=CORES, finish=CORES, upload=4)
        self.engine = Engine(Models(engine_module(paddle.__name__), replicas=CORES), threads)
        self.resident = self.engine.models.acquire(self.ref, self.profile)
        self.bare = paddle.load_predictors(
            self.export.model_file, self.export.params_file, profile=self.profile, count=CORES
        )
        self.batches = self._batches()

    def _batches(self) -> list[dict[str, np.ndarray]]:
        images = [self._read(path) for path in self.paths[: 8 * BATCH]]
        prepared = [self.detector.prepare(image) for image in images]
        return [
            self.detector.feeds(prepared[start : start + BATCH], BATCH)
            for start in range(0, len(prepared), BATCH)
        ]

    @staticmethod
    def _read(path: Path) -> np.ndarray:
        return cv2.imdecode(np.fromfile(path, np.uint8), cv2.IMREAD_COLOR)

    def pipeline(self, *, annotate: bool) -> Measured:
        unit = WorkUnit(
            hold=Hold(1, 1),
            job="bench",
            seq=0,
            kind=ShardKind.INFER,
            task="detect",
            source="/",
            output=str(self.output),
            items_key="",
            start=0,
            stop=len(self.paths),
            model=self.ref,
            options=JobOptions(2 * 10**8, 2**28, 90, annotate=annotate),
            profile=self.profile,
            suspect=False,
            deaths={},
            previous_part=None,
        )
        items = [ItemRef(n, str(path)[1:]) for n, path in enumerate(self.paths)]
        run = ShardRun(unit, lease_seconds=1e6, margin=0)
        return measured(
            len(items), lambda: _used(encode_rows(self.engine.rows(run, items, self.resident)))
        )

    def reference(self) -> Measured:
        def loop(number: int) -> None:
            mine = self.paths[number::CORES]
            for start in range(0, len(mine), BATCH):
                images = [self._read(path) for path in mine[start : start + BATCH]]
                feeds = self.detector.feeds([self.detector.prepare(i) for i in images], BATCH)
                self.bare[number].predict(feeds)

        return measured(len(self.paths), lambda: in_threads(loop))

    def predictors(self) -> Measured:
        rounds = max(1, len(self.paths) // (BATCH * len(self.batches)))

        def loop(number: int) -> None:
            for _ in range(rounds):
                for feeds in self.batches[number::CORES]:
                    self.bare[number].predict(feeds)

        return measured(rounds * len(self.batches) * BATCH, lambda: in_threads(loop))


def drawn_scenes(folder: Path) -> Path:
    folder.mkdir()
    for seed in range(SCENES):
        image, _ = draw_blobs(seed, size=(640, 480))
        cv2.imwrite(str(folder / f"{seed:04d}.jpg"), image)
    return folder


def _used(part: bytes) -> None:
    assert part


def main() -> int:
    parser = argparse.ArgumentParser(description="images a second through the pipeline")
    parser.add_argument("--images", type=Path, help="a folder of images")
    parser.add_argument("--model", type=Path, help="an exported detector")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--json", type=Path, help="where to write the figures")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        images = options.images or drawn_scenes(Path(scratch, "images"))
        model = options.model or export_blob_detector(Path(scratch, "model"))
        paths = sorted(path.absolute() for path in images.iterdir() if path.is_file())
        bench = Bench(model.absolute(), paths, Path(scratch, "output"))
        runs: dict[str, Callable[[], Measured]] = {
            "pipeline": lambda: bench.pipeline(annotate=False),
            "pipeline, annotated": lambda: bench.pipeline(annotate=True),
            "reference": bench.reference,
            "predictors": bench.predictors,
        }
        rounds = [{name: run() for name, run in runs.items()} for _ in range(options.rounds)]
    figures = {name: _figures(name, rounds) for name in runs}
    for name, row in figures.items():
        print(f"{name:22}" + "".join(f"  {key} {value:8.3f}" for key, value in row.items()))
    if options.json:
        options.json.write_text(json.dumps(figures, indent=2) + "\n", encoding="utf-8")
    return 0


def _figures(name: str, rounds: Sequence[dict[str, Measured]]) -> dict[str, float]:
    mine = [turn[name] for turn in rounds]
    return {
        "images/s": statistics.median(m.rate for m in mine),
        "cpu ms/image": statistics.median(1000 * m.cpu / m.images for m in mine),
        "of reference": statistics.median(t[name].rate / t["reference"].rate for t in rounds),
        "of predictors": statistics.median(t[name].rate / t["predictors"].rate for t in rounds),
    }


if __name__ == "__main__":
    sys.exit(main())
