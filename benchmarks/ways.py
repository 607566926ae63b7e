"""What each way of running a network computes, and how fast: `python -m benchmarks.ways MODEL...`.

Prints a line of a Markdown table for each exported directory. Differences are those between a way
and plain Paddle on sample pictures, see `worker.likeness`; ways that are known to be wrong for a
graph are compared as well. Times are CPU milliseconds an image, one thread, batch 8 (what takes
many images at once) or 1, the median of several rounds in turn.
"""

import argparse
import statistics
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from core.errors import RegattaError
from core.options import ModelRef
from core.profile import DEFAULT_BATCH, ExecutionProfile
from core.ways import Way
from sample.pictures import sample_pictures
from vision.export import export_digest, read_export
from vision.exported import ExportedModel
from worker.likeness import LIMITS
from worker.models import wanted_batch_size
from worker.network import stacked
from worker.networks import network_of
from worker.predictors import paddle
from worker.question import Question, SamplePictures
from worker.recipe import ALONE

_WAYS = (Way.ONEDNN, Way.ONEDNN_UNPLACED)
_ROUND_SECONDS = 1.0
_ROUNDS = 5


class OneWay:
    """The engine, as if one way was all that it had."""

    def __init__(self, way: Way) -> None:
        self._way = way
        self.offers = paddle.offers
        self.load_predictors = paddle.load_predictors

    def ways(self, _model_file: Path) -> tuple[Way, ...]:
        return (self._way,)


def compared(export: ExportedModel, ref: ModelRef, way: Way) -> str:
    """The differences of a way, the wrong ones in bold."""
    question = Question(ref, ALONE, profile(), is_part=True)
    try:
        found = question.answer(OneWay(way), SamplePictures(export.task))
    except RegattaError as error:
        return str(error)
    tried = found.report.get("tried", {}).get(way.value)
    if tried is None:
        return found.why
    if not tried["differences"]:
        return f"**{tried['wrong']}**"
    return ", ".join(
        said(*each, is_wrong=tried["wrong"] is not None) for each in tried["differences"].items()
    )


def said(kind: str, value: float | None, *, is_wrong: bool) -> str:
    text = f"{kind} {'differs' if value is None else format(value, '.2g')}"
    return f"**{text}**" if is_wrong and (value is None or value > LIMITS[kind]) else text


def profile() -> ExecutionProfile:
    return ExecutionProfile.of(paddle.offers()[0], batch_size=DEFAULT_BATCH, jpeg_quality=90)


def timed(export: ExportedModel, ways: Sequence[Way]) -> dict[Way, float]:
    """CPU milliseconds an image of each way that runs, measured in turn."""
    network, size = network_of(export), wanted_batch_size(export, profile(), alone=True)
    feeds = stacked([network.prepare(next(iter(sample_pictures(export.task))))], size)
    predictors, spent = {}, {}
    for way in ways:
        try:
            predictors[way] = paddle.load_predictors(
                export.model_file, export.params_file, profile=profile(), way=way, count=1
            )[0]
            predictors[way].predict(feeds)
        except RegattaError:
            predictors.pop(way, None)
            continue
        spent[way] = [] if way in predictors else spent.get(way, [])
    for _ in range(_ROUNDS):
        for way, predictor in predictors.items():
            begun, until, runs = time.process_time(), time.monotonic() + _ROUND_SECONDS, 0
            while time.monotonic() < until or not runs:
                predictor.predict(feeds)
                runs += 1
            spent[way].append((time.process_time() - begun) / runs / size * 1000)
    return {way: statistics.median(each) for way, each in spent.items()}


def row(directory: Path) -> dict[str, Any]:
    export = read_export(directory)
    ref = ModelRef(export.name, export.task, export_digest(directory), f"file://{directory}")
    offered = paddle.ways(export.model_file)
    times = timed(export, tuple(Way))
    return {
        "model": directory.name,
        "task": export.task,
        "format": export.model_file.suffix[1:],
        "onednn": compared(export, ref, Way.ONEDNN),
        "onednn_unplaced": compared(export, ref, Way.ONEDNN_UNPLACED),
        "offered": ", ".join(offered) or "none",
        "ms": " / ".join(
            f"{times[way]:.1f}" if way in times else "-" for way in (Way.PLAIN, *_WAYS)
        ),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("models", nargs="+", type=Path)
    given = parser.parse_args()
    np.seterr(all="ignore")  # wrong kernels give what they give
    titles = ("model", "task", "format", "onednn", "onednn_unplaced", "offered", "ms")
    print("| " + " | ".join(titles) + " |")
    print("| --- " * len(titles) + "|")
    for directory in given.models:
        found = row(directory.resolve())
        print("| " + " | ".join(str(found[title]) for title in titles) + " |", flush=True)


if __name__ == "__main__":
    main()
