"""Runs an export once and reports in JSON: `python -m worker.smoke DIRECTORY`.

The report has `engine`, its name and version, and `offer`, as jobs name it; `inputs`, the name and
shape of each feed; `outputs`, their types and shapes; `way`, the fastest one that proved right on
sample pictures, None if nothing was found on them, with `why` in words and the figures in
`comparison`; `milliseconds` of a run in that way, or plainly; `warnings` from the engine; or
`error` and `hint` if the network can't be run here.
"""

import json
import sys
import time
from collections.abc import MutableMapping
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import structlog
from numpy.typing import NDArray

from config.settings import load_settings
from core.errors import RegattaError, UsageError
from core.options import ModelRef
from core.profile import (
    DEFAULT_BATCH,
    EngineOffer,
    ExecutionProfile,
    NetworkProfile,
    best_offer,
)
from core.ways import Way
from vision.exports.export import export_digest, read_export
from vision.exports.exported import ExportedModel, fixed_shapes
from vision.ops.preprocess import Preprocessor
from worker.engines.protocol import ModelFiles, Predictor
from worker.engines.registry import Engines, engines_named
from worker.networks.network import stacked
from worker.ways.comparison import Comparison
from worker.ways.question import ONLY_PLAIN, Question, SamplePictures
from worker.ways.question_process import ask_in_process

_FREE_SIZE = (480, 640)
_LONG_SECONDS = 10.0  # a first run that took this long isn't repeated for the timing


def main(directory: str) -> int:
    """Print the report as the last line of stdout."""
    try:
        answer = try_out(Path(directory), engines_named(load_settings().engines))
    except RegattaError as error:
        answer = {"error": str(error), "hint": error.hint}
    sys.stdout.write("\n" + json.dumps(answer) + "\n")
    return 0


def try_out(directory: Path, engines: Engines) -> dict[str, Any]:
    """Run the network in a directory on a picture of its size, as a batch of one.

    Raises:
        RegattaError: it can't be read, loaded or run.
    """
    export = read_export(directory)
    warnings: list[str] = []
    structlog.configure(processors=[partial(_collect, warnings)])
    digest = export_digest(directory)
    best = best_offer(engines.offered, digest)
    if best is None:
        raise UsageError("no engine here can run anything", hint="`regatta doctor` looks at Paddle")
    offer = best.offer
    load = partial(_loaded, engines, export, offer)
    plain = load(Way.PLAIN)
    feeds = _feeds(export)
    begun = time.perf_counter()
    outputs = plain.predict(feeds)
    first_seconds = time.perf_counter() - begun
    found = _compared(engines, export, digest, offer)
    predictor = plain if found.way in {None, Way.PLAIN} else load(found.way)
    return {
        "engine": f"{offer.engine} {offer.version}",
        "offer": offer.key,
        "inputs": [_input(name, feeds) for name in predictor.input_names],
        "outputs": [{"dtype": str(o.dtype), "shape": list(o.shape)} for o in outputs],
        "milliseconds": round(1000 * _seconds(predictor, feeds, first_seconds), 1),
        "way": found.way,
        "why": found.why,
        "comparison": dict(found.report),
        "warnings": warnings,
    }


def _loaded(engines: Engines, export: ExportedModel, offer: EngineOffer, way: Way) -> Predictor:
    [predictor] = engines.of(offer).load(
        ModelFiles(export.model_file, export.params_file),
        NetworkProfile(offer, batch_size=1),
        way=way,
        sizes=fixed_shapes(export),
        count=1,
    )
    return predictor


def _compared(
    engines: Engines, export: ExportedModel, digest: str, offer: EngineOffer
) -> Comparison:
    directory = export.config_file.parent
    ref = ModelRef(export.name, export.task, digest, f"file://{directory.resolve()}")
    profile = ExecutionProfile.of(offer, batch_size=DEFAULT_BATCH, jpeg_quality=90)
    question = Question.alone(ref, profile)
    try:
        if not question.ways(engines):
            return Comparison(Way.PLAIN, ONLY_PLAIN)
        return ask_in_process(question, SamplePictures(export.task))
    except RegattaError as error:  # not the outputs of such a model: the caller looks at them
        return Comparison(None, str(error))


def _seconds(predictor: Predictor, feeds: dict[str, NDArray[Any]], first_seconds: float) -> float:
    """Return how long a warm run takes; a slow first run counts and isn't repeated."""
    if first_seconds >= _LONG_SECONDS:
        return first_seconds
    predictor.predict(feeds)
    begun = time.perf_counter()
    predictor.predict(feeds)
    return time.perf_counter() - begun


def _collect(warnings: list[str], _logger: Any, level: str, event: MutableMapping[str, Any]) -> str:
    """Collect a warning as one line instead of printing it."""
    if level == "warning":
        details = ", ".join(f"{k} {v}" for k, v in event.items() if k != "event")
        warnings.append(f"{event['event']}: {details}")
    raise structlog.DropEvent


def _feeds(export: ExportedModel) -> dict[str, NDArray[np.float32]]:
    prepare = Preprocessor(export.ops)
    height, width = prepare.fixed_shape or _FREE_SIZE
    # Every brightness occurs, so that no branch of a graph is skipped for want of contrast.
    ramp = np.linspace(0, 255, height * width * 3).reshape(height, width, 3)
    return stacked([prepare(ramp.astype(np.uint8))], 1)


def _input(name: str, feeds: dict[str, NDArray[np.float32]]) -> dict[str, Any]:
    """Return what was fed under a name; a sole input of any name is the image."""
    return {"name": name, "shape": list(feeds.get(name, feeds["image"]).shape)}


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
