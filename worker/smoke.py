"""Runs an export once and answers in JSON: `python -P -m worker.smoke DIRECTORY`.

The answer: `engine`, its name and version; `inputs`, name and shape of what was fed; `outputs`,
type and shape; `milliseconds` of a run; `warnings`, what the engine said meanwhile; or `error` and
`hint`, if the network cannot be run here.
"""

import importlib
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
from core.errors import RegattaError
from core.profile import EngineOffer, ExecutionProfile
from vision.export import read_export
from vision.exported import ExportedModel
from vision.preprocess import Preprocessor
from worker.network import stacked

_FREE_SIZE = (480, 640)
_LONG_SECONDS = 10.0  # a first run that took so long is not repeated to be timed


def main(directory: str) -> int:
    """Print what was found as the last line of stdout."""
    try:
        answer = try_out(Path(directory), importlib.import_module(load_settings().engine))
    except RegattaError as error:
        answer = {"error": str(error), "hint": error.hint}
    sys.stdout.write("\n" + json.dumps(answer) + "\n")
    return 0


def try_out(directory: Path, engine: Any) -> dict[str, Any]:
    """Run the network in a directory on a picture of its size, one image a batch.

    Raises:
        RegattaError: it can't be read, loaded or run.
    """
    export = read_export(directory)
    warnings: list[str] = []
    structlog.configure(processors=[partial(_collect, warnings)])
    offer: EngineOffer = engine.offers()[0]
    profile = ExecutionProfile(
        offer.engine, offer.version, offer.device, offer.precision, 1, 1, jpeg_quality=90
    )
    [predictor] = engine.load_predictors(
        export.model_file, export.params_file, profile=profile, count=1
    )
    feeds = _feeds(export)
    begun = time.perf_counter()
    outputs = predictor.predict(feeds)
    seconds = time.perf_counter() - begun
    if seconds < _LONG_SECONDS:
        begun = time.perf_counter()
        predictor.predict(feeds)
        seconds = time.perf_counter() - begun
    return {
        "engine": f"{offer.engine} {offer.version}",
        "inputs": [_input(name, feeds) for name in predictor.input_names],
        "outputs": [{"dtype": str(o.dtype), "shape": list(o.shape)} for o in outputs],
        "milliseconds": round(1000 * seconds, 1),
        "warnings": warnings,
    }


def _collect(warnings: list[str], _logger: Any, level: str, event: MutableMapping[str, Any]) -> str:
    """Keep a warning in one line, in the place of printing it."""
    if level == "warning":
        details = ", ".join(f"{k} {v}" for k, v in event.items() if k != "event")
        warnings.append(f"{event['event']}: {details}")
    raise structlog.DropEvent


def _feeds(export: ExportedModel) -> dict[str, NDArray[np.float32]]:
    prepare = Preprocessor(export.ops)
    height, width = prepare.fixed_shape or _FREE_SIZE
    # Something of every brightness, so that no branch of a graph is left out for want of contrast.
    ramp = np.linspace(0, 255, height * width * 3).reshape(height, width, 3)
    return stacked([prepare(ramp.astype(np.uint8))], 1)


def _input(name: str, feeds: dict[str, NDArray[np.float32]]) -> dict[str, Any]:
    """What was fed under a name; a lone input of any name is the image."""
    return {"name": name, "shape": list(feeds.get(name, feeds["image"]).shape)}


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
