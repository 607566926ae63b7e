"""Compares sliced inference with SAHI's in images per second: same images, model and tiles.

    python -m benchmarks.sliced --sahi DIR [--model EXPORT] [--images DIR] [--rounds 3]

`DIR` is where SAHI is installed (`pip install --target DIR sahi`); it isn't part of this project.
SAHI doesn't support Paddle, so the same predictor is wrapped in its model interface, which runs in
the same way with as many threads as there are cores; Regatta has one single-threaded predictor per
core. Both read the files, look at tiles and the whole picture, and merge with the same defaults. By
default, drawn scenes of 2560 x 1920 pixels and the shipped detector are used.
"""

import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from benchmarks.figures import Figure, options, quiet, report
from benchmarks.ours import LoadedPipeline
from core.options import JobOptions
from core.profile import NetworkProfile
from core.slicing import Slicing
from core.ways import Way
from predictions.detections import Detections
from sample.shipped import DETECTOR
from sample.world import new_world
from store.parts import iter_rows
from vision.exports.export import read_export
from worker.engines.paddle import engine as paddle
from worker.networks.by_task import detector_of
from worker.networks.network import stacked

CORES = len(os.sched_getaffinity(0))
_SIZE = (2560, 1920)
_OPTIONS = JobOptions.of(max_pixels=2 * 10**8, max_item_bytes=2**28, jpeg_quality=90)


class Looker:
    """The detector as SAHI calls it: one tile at a time."""

    def __init__(self, model: Path, way: Way) -> None:
        profile = NetworkProfile(paddle.offers()[0].offer, batch_size=1, threads=CORES)
        export = read_export(model)
        self.labels = export.labels
        self._detector = detector_of(export)
        self._predictor = paddle.load_predictor(
            export.model_file, export.params_file, profile=profile, way=way
        )

    def look(self, image_bgr: np.ndarray) -> Detections:
        batch = [self._detector.prepare(image_bgr)]
        outputs = self._predictor.predict(stacked(batch, 1))
        [output] = self._detector.split(outputs, batch, 1)
        return self._detector.found(output, _OPTIONS)


def sahi_with(looker: Looker, side: int) -> Callable[[Path], int]:
    """Return a function that runs SAHI's sliced prediction on a file and counts the objects."""
    from sahi.models.base import DetectionModel  # noqa: PLC0415 - not installed with this project
    from sahi.predict import get_sliced_prediction  # noqa: PLC0415
    from sahi.prediction import ObjectPrediction  # noqa: PLC0415

    class Model(DetectionModel):  # type: ignore[misc]
        def load_model(self) -> None:
            self.model = looker
            self.category_mapping = {str(n): name for n, name in enumerate(looker.labels)}

        def set_device(self, device: object = None) -> None:
            self.device = device or "cpu"

        def perform_inference(self, image: np.ndarray) -> None:
            self._original_predictions = looker.look(np.ascontiguousarray(image[..., ::-1]))

        def _create_object_prediction_list_from_original_predictions(
            self, shift_amount_list: Any = None, full_shape_list: Any = None
        ) -> None:
            found = self._original_predictions
            shift = (shift_amount_list or [0, 0])[:]
            whole = full_shape_list
            if shift and isinstance(shift[0], list):
                shift = shift[0]
            if whole and isinstance(whole[0], list):
                whole = whole[0]
            objects = [
                ObjectPrediction(
                    bbox=box,
                    category_id=number,
                    score=score,
                    category_name=looker.labels[number],
                    shift_amount=shift,
                    full_shape=whole,
                )
                for box, number, score in zip(
                    np.maximum(found.xyxy, 0).tolist(),
                    found.class_ids.tolist(),
                    found.scores.tolist(),
                    strict=True,
                )
                if box[2] > max(box[0], 0) and box[3] > max(box[1], 0)
            ]
            self._object_prediction_list_per_image = [objects]

    model = Model(load_at_init=True)

    def run(path: Path) -> int:
        result = get_sliced_prediction(
            str(path), model, slice_height=side, slice_width=side, verbose=0
        )
        return len(result.object_prediction_list)

    return run


def scenes(folder: Path, count: int) -> list[Path]:
    paths = []
    for number in range(count):
        path = folder / f"{number}.jpg"
        cv2.imwrite(str(path), new_world(number, _SIZE).scene().image)
        paths.append(path)
    return paths


def measure(
    paths: Sequence[Path], model: Path, side: int, rounds: int, output: Path
) -> list[Figure]:
    pipeline = LoadedPipeline(model, batch=8, threads=CORES)
    slicing = Slicing(side, side, 0.2, "nmm")
    theirs = sahi_with(Looker(model, pipeline.way), side)
    took: dict[str, list[float]] = {"ours": [], "sahi": []}
    found = {"ours": 0, "sahi": 0}
    for _ in range(rounds):
        begun = time.perf_counter()
        part = pipeline.run(paths, output, annotate=False, slicing=slicing)
        took["ours"].append(time.perf_counter() - begun)
        found["ours"] = sum(len(row["detections"]) for row in iter_rows(part))
        begun = time.perf_counter()
        found["sahi"] = sum(map(theirs, paths))
        took["sahi"].append(time.perf_counter() - begun)
    ratio = statistics.median(
        [sahi / ours for ours, sahi in zip(took["ours"], took["sahi"], strict=True)]
    )
    return [
        Figure("regatta", len(paths) / statistics.median(took["ours"]), "images/s"),
        Figure("SAHI", len(paths) / statistics.median(took["sahi"]), "images/s"),
        Figure("regatta, of SAHI", ratio, "times"),
        Figure("objects found by regatta", found["ours"], ""),
        Figure("objects found by SAHI", found["sahi"], ""),
    ]


def main() -> int:
    parser = options(__doc__)
    parser.add_argument("--sahi", type=Path, required=True)
    parser.add_argument("--model", type=Path, default=DETECTOR)
    parser.add_argument("--images", type=Path)
    parser.add_argument("--count", type=int, default=12)
    parser.add_argument("--side", type=int, default=640)
    parser.add_argument("--rounds", type=int, default=3)
    told = parser.parse_args()
    sys.path.append(str(told.sahi))
    quiet()
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        if told.images is None:
            paths = scenes(place, told.count)
        else:
            there = sorted(path for path in told.images.iterdir() if path.is_file())
            paths = (there * -(-told.count // len(there)))[: told.count]
        figures = measure(paths, told.model, told.side, told.rounds, place / "output")
    details = {"images": told.count, "tiles": f"{told.side}x{told.side}", "rounds": told.rounds}
    report("sliced", figures, details, told.json)
    return 0


if __name__ == "__main__":
    sys.exit(main())
