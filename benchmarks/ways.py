"""Shows which way is right for a model, and how fast each is: `python -m benchmarks.ways MODEL...`.

It prints a row of a Markdown table for each exported directory: the ways that its graph allows, the
result of the comparison on sample pictures (the one that `models add` makes, with its time limit),
and the CPU milliseconds per image of every way that runs at all, right or not: on one thread, the
median of several rounds in turn.
"""

import argparse
import os
import statistics
import time
from collections.abc import Sequence
from pathlib import Path

from benchmarks.figures import quiet
from core.errors import RegattaError
from core.options import ModelRef
from core.profile import ExecutionProfile, NetworkProfile
from core.ways import Way
from sample.pictures import sample_pictures
from vision.exports.export import export_digest, read_export
from vision.exports.exported import ExportedModel, traits_of
from worker.engines.paddle import engine as paddle
from worker.engines.protocol import Predictor
from worker.networks.by_task import network_of
from worker.networks.network import stacked
from worker.ways.question import Question, SamplePictures
from worker.ways.question_process import ask_in_process

_BY_SPEED = (Way.PLAIN, Way.ONEDNN, Way.ONEDNN_UNPLACED)
_ROUND_SECONDS = 1.0


def compared(export: ExportedModel, profile: NetworkProfile) -> tuple[str, str]:
    """Return the right way and the comparison's explanation."""
    directory = export.config_file.parent
    ref = ModelRef(export.name, export.task, export_digest(directory), f"file://{directory}")
    job = ExecutionProfile.of(profile.offer, batch_size=profile.batch_size, jpeg_quality=90)
    question = Question.alone(ref, job)
    if not paddle.ways(export.model_file):
        return Way.PLAIN.value, "-"
    found = ask_in_process(question, SamplePictures(export.task))
    return (found.way or Way.PLAIN).value, found.why


def timed(export: ExportedModel, profile: NetworkProfile, rounds: int) -> dict[Way, float]:
    """Return the CPU milliseconds per image of each way that runs, measured in turn."""
    size = traits_of(export, is_whole=True).batch_size(profile.batch_size)
    feeds = stacked([network_of(export).prepare(next(sample_pictures(export.task)))], size)
    predictors = {}
    for way in _BY_SPEED:
        try:
            predictors[way] = _warm(export, profile, way)
            predictors[way].predict(feeds)
        except RegattaError:
            predictors.pop(way, None)
    spent: dict[Way, list[float]] = {way: [] for way in predictors}
    for _ in range(rounds):
        for way, predictor in predictors.items():
            begun, until, runs = time.process_time(), time.monotonic() + _ROUND_SECONDS, 0
            while time.monotonic() < until or not runs:
                predictor.predict(feeds)
                runs += 1
            spent[way].append((time.process_time() - begun) / runs / size * 1000)
    return {way: statistics.median(each) for way, each in spent.items()}


def _warm(export: ExportedModel, profile: NetworkProfile, way: Way) -> Predictor:
    return paddle.load_predictor(export.model_file, export.params_file, profile=profile, way=way)


def row(directory: Path, batch: int, rounds: int) -> Sequence[str]:
    export = read_export(directory)
    profile = NetworkProfile(paddle.offers()[0].offer, batch_size=batch)
    allowed = ", ".join(paddle.ways(export.model_file)) or "plain"
    way, why = compared(export, profile)
    times = timed(export, profile, rounds)
    spent = [f"{times[one]:.1f}" if one in times else "-" for one in _BY_SPEED]
    return directory.name, export.task, export.model_file.suffix[1:], allowed, way, why, *spent


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("models", nargs="+", type=Path)
    parser.add_argument("--batch", type=int, default=8)
    parser.add_argument("--rounds", type=int, default=5)
    given = parser.parse_args()
    quiet()
    os.environ["REGATTA_LOG_LEVEL"] = "warning"  # for the process that compares
    print(f"| model | task | format | allowed | way | compared | {' | '.join(_BY_SPEED)} |")
    print("| --- " * 6 + "| ---: " * 3 + "|")
    for directory in given.models:
        cells = row(directory.resolve(), given.batch, given.rounds)
        print(f"| {' | '.join(cells)} |", flush=True)


if __name__ == "__main__":
    main()
