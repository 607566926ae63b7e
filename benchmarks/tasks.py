"""Measures images per second for every task, and what bare predictors would allow.

    python -m benchmarks.tasks [--task T ...] [--models DIR] [--images DIR] [--rounds 3]

By default, the shipped models run over drawn scenes. With `--models`, the exports named in `_REAL`
are taken from that folder and run over `--images`.

A model's batches are recorded once, with their contents. Then the pipeline and the bare predictors
run in turn: as many threads as cores, each with a predictor of every network, run the recorded
batches and nothing else. So the share shows the cost of everything but inference, with the same
batches and threads.
"""

import os
import queue
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import cv2
from numpy.typing import NDArray

from benchmarks.figures import Figure, options, quiet, report
from benchmarks.memory import Sampled
from benchmarks.ours import LoadedPipeline
from core.options import ModelRef
from core.tasks import DETECTOR, KEYPOINT, ORIENTATION, TEXT_DET, TEXT_REC
from registry.chosen_model import ChosenModel, compose, describe
from sample.scene import size_of
from sample.shipped import EXPORTS
from sample.world import new_world
from vision.exports.export import read_export
from vision.exports.facts import facts_of
from worker.models import ResidentNetwork

CORES = len(os.sched_getaffinity(0))
BATCH = 8

_Parts = Mapping[str, str]
_SHIPPED: Mapping[str, str | _Parts] = {
    "detect": "regatta_fcos_384",
    "keypoint": {DETECTOR: "regatta_fcos_384", KEYPOINT: "regatta_pose_128x96"},
    "segment": "regatta_seg_256",
    "classify": "regatta_weather_128",
    "ocr": {TEXT_DET: "regatta_text_det", TEXT_REC: "regatta_text_rec"},
}
_REAL: Mapping[str, str | _Parts] = {
    "detect": "picodet_xs_320_coco_lcnet",
    "keypoint": {DETECTOR: "picodet_xs_320_coco_lcnet", KEYPOINT: "tinypose_256x192"},
    "segment": "humanseg_192",
    "classify": "shufflenet_v2_x1_0",
    "ocr": {
        TEXT_DET: "ppocr_v3_en_det",
        ORIENTATION: "ppocr_v2_textline_orientation",
        TEXT_REC: "ppocr_en_rec",
    },
}
_PEOPLE = {"regatta_fcos_384": ["rower"]}


class _Recorder:
    """A predictor that records its feeds."""

    def __init__(self, network: ResidentNetwork, number: int, fed: list["_Batch"]) -> None:
        self._network = network
        self._inner = network.predictors[number]
        self._fed = fed

    @property
    def input_names(self) -> Any:
        return self._inner.input_names

    def predict(self, feeds: Mapping[str, NDArray[Any]]) -> Sequence[NDArray[Any]]:
        self._fed.append((self._network, dict(feeds)))
        return self._inner.predict(feeds)

    def close(self) -> None:
        self._inner.close()


_Batch = tuple[ResidentNetwork, dict[str, NDArray[Any]]]


def model_of(folder: Path, task: str, named: str | _Parts) -> ModelRef:
    """Return a task's model, made of exports in a folder."""
    if isinstance(named, str):
        return describe(folder / named)
    parts = {
        role: ChosenModel(describe(folder / name), {"": facts_of(read_export(folder / name))})
        for role, name in named.items()
    }
    people = _PEOPLE.get(named.get(DETECTOR, ""))
    return compose(task, task, parts, {} if people is None else {"people": people}).ref


def recorded(pipeline: LoadedPipeline, run: Callable[[], object]) -> list[_Batch]:
    """Return the batches that a run feeds the pipeline's predictors."""
    fed: list[_Batch] = []
    kept = [network.predictors for network in pipeline.networks]
    for network in pipeline.networks:
        count = len(network.predictors)
        network.predictors = [_Recorder(network, number, fed) for number in range(count)]
    try:
        run()
    finally:
        for network, predictors in zip(pipeline.networks, kept, strict=True):
            network.predictors = predictors
    return fed


class Bare:
    """A pipeline's predictors in as many threads, with nothing around them."""

    def __init__(self) -> None:
        self._owners = [ThreadPoolExecutor(1) for _ in range(CORES)]

    def run(self, batches: Sequence[_Batch]) -> None:
        """Run batches; each free thread takes the next one."""
        left: queue.SimpleQueue[_Batch] = queue.SimpleQueue()
        for batch in batches:
            left.put(batch)

        def work(number: int) -> None:
            while True:
                try:
                    network, feeds = left.get_nowait()
                except queue.Empty:
                    return
                network.predictors[number].predict(feeds)

        running = [owner.submit(work, number) for number, owner in enumerate(self._owners)]
        for one in running:
            one.result()


def seconds(work: Callable[[], object]) -> float:
    begun = time.perf_counter()
    work()
    return time.perf_counter() - begun


def drawn_scenes(folder: Path, count: int) -> list[Path]:
    paths = []
    for number in range(count):
        path = folder / f"{number}.jpg"
        cv2.imwrite(str(path), new_world(number, size_of(number)).scene().image)
        paths.append(path)
    return paths


def measure(model: ModelRef, images: Sequence[Path], output: Path, rounds: int) -> list[Figure]:
    quiet()
    pipeline = LoadedPipeline(model, batch=BATCH, threads=CORES)

    def run(*, annotate: bool) -> bytes:
        return pipeline.run(images, output, annotate=annotate)

    batches, bare = recorded(pipeline, lambda: run(annotate=False)), Bare()
    took: dict[str, list[float]] = {"plain": [], "annotated": [], "bare": []}
    with Sampled() as memory:
        for _ in range(rounds):
            took["plain"].append(seconds(lambda: run(annotate=False)))
            took["bare"].append(seconds(lambda: bare.run(batches)))
            took["annotated"].append(seconds(lambda: run(annotate=True)))
    median = {name: statistics.median(each) for name, each in took.items()}
    task, count = model.task, len(images)
    shares = [bare / plain for bare, plain in zip(took["bare"], took["plain"], strict=True)]
    drawn = [bare / all_ for bare, all_ in zip(took["bare"], took["annotated"], strict=True)]
    peak = max(held for _, held in memory.samples)
    return [
        Figure(f"{task}", count / median["plain"], "images/s"),
        Figure(f"{task}, annotated", count / median["annotated"], "images/s"),
        Figure(f"{task}, of the bare predictors", statistics.median(shares), ""),
        Figure(f"{task}, annotated, of them", statistics.median(drawn), ""),
        Figure(f"{task}, memory", peak / 2**20, "MiB"),
    ]


def main() -> int:
    parser = options(__doc__)
    parser.add_argument("--task", action="append", choices=_SHIPPED)
    parser.add_argument("--models", type=Path)
    parser.add_argument("--images", type=Path)
    parser.add_argument("--count", type=int, default=96, help="how many images")
    parser.add_argument("--rounds", type=int, default=3)
    told = parser.parse_args()
    named = _SHIPPED if told.models is None else _REAL
    figures = []
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        if told.images is None:
            images = drawn_scenes(place, told.count)
        else:
            found = sorted(path for path in told.images.iterdir() if path.is_file())
            images = (found * -(-told.count // len(found)))[: told.count]
        for task in told.task or named:
            model = model_of(told.models or EXPORTS, task, named[task])
            # One process each, so that memory held by one isn't counted as the next one's.
            with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as process:
                measured = process.submit(measure, model, images, place / "output", told.rounds)
                figures += measured.result()
    details = {"images": told.count, "batch": BATCH, "rounds": told.rounds}
    report("tasks", figures, details, told.json)
    return 0


if __name__ == "__main__":
    sys.exit(main())
