"""Measures how far networks' results differ between Paddle's ways and ONNX Runtime.

    python -m benchmarks.numerics [--reference DIR] [--exports DIR] [--only NAME ...]

Everything is compared with plain Paddle. The shipped models look at drawn scenes, the reference's
at its photos, the exports from `make exports` at one of these. The result is a Markdown table. For
each way it gives the largest difference in raw outputs, the number of pictures, people or lines
whose answers differ by more than the golden tests allow, and the worst difference.
"""

import multiprocessing
import sys
import tempfile
from collections import defaultdict
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any

import onnxruntime
from numpy.typing import NDArray

from benchmarks.figures import options, quiet
from core.profile import NetworkProfile
from core.ways import Way
from sample.shipped import EXPORTS
from tests.golden.converted import NotConvertedError, OnnxRuntime, converted
from tests.golden.looking import (
    LIMITS,
    Look,
    Looker,
    Picture,
    apart,
    largest_difference,
    photos,
    scenes,
)
from vision.exports.export import read_export
from vision.exports.exported import ExportedModel
from worker.engines.paddle.engine import PaddlePredictor, load_predictor, offers
from worker.networks.network import stacked

WAYS = (Way.ONEDNN, Way.ONEDNN_UNPLACED)
ONNX = "onnxruntime"
ONE_PHOTO = ("000000014439.jpg",)
PROFILE = NetworkProfile(offers()[0].offer, batch_size=1)
_SCENES = 4


def compared(folder: Path, pictures: Sequence[Picture]) -> str:
    """Return one row of the table."""
    quiet()
    export = read_export(folder)
    looker = Looker(export)
    looks = looker.looks(pictures)
    feeds = [stacked([look.prepared], 1) for look in looks]
    plain = _paddle(export, Way.PLAIN)
    expected = [plain.predict(one) for one in feeds]
    plain.close()
    cells = []
    for way in (*WAYS, ONNX):
        try:
            with tempfile.TemporaryDirectory() as scratch:
                other: Any = (
                    OnnxRuntime(converted(export, Path(scratch)))
                    if way == ONNX
                    else _paddle(export, Way(way))
                )
            found = [other.predict(one) for one in feeds]
        except NotConvertedError as error:
            cells.append(f"not converted: {str(error)[:60]}")
        except Exception as error:  # whatever a vendor raises is a result
            cells.append(f"fails: {str(error).rpartition(': ')[2][:60]}")
        else:
            cells.append(_cell(looker, looks, expected, found))
    return f"| {folder.name} | {len(looks)} | {' | '.join(cells)} |"


def _paddle(export: ExportedModel, way: Way) -> PaddlePredictor:
    return load_predictor(export.model_file, export.params_file, profile=PROFILE, way=way)


def _cell(
    looker: Looker,
    looks: Sequence[Look],
    expected: Sequence[Sequence[NDArray[Any]]],
    found: Sequence[Sequence[NDArray[Any]]],
) -> str:
    raw = [largest_difference(*pair) for pair in zip(expected, found, strict=True)]
    numbers = [one for one in raw if one is not None]
    said = f"{max(numbers):.1e}" if numbers else "classes only"
    worst: defaultdict[str, float] = defaultdict(float)
    beyond = 0
    for look, plain, other in zip(looks, expected, found, strict=True):
        distances = apart(looker.said(plain, look), looker.said(other, look))
        beyond += any(value > LIMITS[name] for name, value in distances.items())
        for name, value in distances.items():
            worst[name] = max(worst[name], value)
    told = ", ".join(f"{name} {value:.2g}" for name, value in worst.items())
    return f"{said}; {beyond} beyond; {told}"


def main() -> int:
    parser = options(__doc__)
    parser.add_argument("--reference", type=Path, help="models, photos and recorded answers")
    parser.add_argument("--exports", type=Path, help="what `make exports` made")
    parser.add_argument("--only", action="append", metavar="NAME")
    told = parser.parse_args()
    shown = {folder: scenes(_SCENES) for folder in _exports_in(EXPORTS)}
    if told.reference:
        shown |= {one: photos(told.reference) for one in _exports_in(told.reference / "models")}
    if told.reference and told.exports:
        shown |= {one: photos(told.reference, ONE_PHOTO) for one in _exports_in(told.exports)}
    ways = " | ".join((*WAYS, f"{ONNX} {onnxruntime.__version__}"))
    print(f"| model | looks | {ways} |")
    print("| --- " * (3 + len(WAYS)) + "|")
    failed = 0
    for folder, pictures in shown.items():
        if told.only and folder.name not in told.only:
            continue
        # One process each: some graphs end theirs.
        context = multiprocessing.get_context("spawn")
        with ProcessPoolExecutor(1, mp_context=context) as process:
            try:
                print(process.submit(compared, folder, pictures).result(), flush=True)
            except Exception as error:  # the others are still worth measuring
                failed += 1
                print(f"| {folder.name} | | {error!r} | | |", flush=True)
    return int(failed > 0)


def _exports_in(folder: Path) -> list[Path]:
    return sorted(one.parent for one in folder.glob("*/*.pdiparams"))


if __name__ == "__main__":
    sys.exit(main())
