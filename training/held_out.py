"""Runs a shipped model over scenes that it has never seen."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from core.profile import NetworkProfile
from sample.dataset import Dataset, dataset_at
from training.pool import HELD_OUT_SEEDS
from vision.exports.files import find_graph
from worker.engines.paddle.engine import load_predictor, offers

_BATCH = 16


def held_out(scenes: int, folder: Path) -> Dataset:
    """Return a dataset of `scenes` held-out scenes, drawn into `folder`."""
    return dataset_at(folder / "held-out", scenes, seed=HELD_OUT_SEEDS)


def results(
    dataset: Dataset, model: Path, folder: Path, options: Sequence[str] = ()
) -> Iterator[Mapping[str, Any]]:
    """Yield the result rows of `regatta run` for each sound picture; its output is `folder`/out.

    Raises:
        RuntimeError: a picture has no result.
    """
    environment = {**os.environ, "REGATTA_HOME": str(folder / "home")}
    regatta: list[str | Path] = [sys.executable, "-P", "-c", "from regatta import main; main()"]
    run: list[str | Path] = ["run", dataset.folder, "--model", model, "--output", folder / "out"]
    # The exit code is 3 because of the dataset's broken files, which are quarantined.
    subprocess.run(
        [*regatta, *run, "--no-annotate", *options],
        env=environment,
        check=False,
        stdout=subprocess.DEVNULL,
    )
    printed = subprocess.run(
        [*regatta, "results", "latest", "--state", "succeeded", "--format", "ndjson"],
        env=environment,
        check=True,
        stdout=subprocess.PIPE,
    ).stdout
    rows = list(map(json.loads, printed.splitlines()))
    if len(rows) != dataset.sound:
        raise RuntimeError(f"{len(rows)} of {dataset.sound} pictures have results")
    yield from rows


def composed(
    task: str, parts: Mapping[str, Path], folder: Path, options: Mapping[str, Sequence[str]] = {}
) -> Path:
    """Write a file in `folder` that composes a model of parts; see `registry.composition`."""
    # JSON's strings and lists are valid TOML.
    tables = {"parts": {role: str(part) for role, part in parts.items()}, "options": options}
    lines = [f"task = {json.dumps(task)}"]
    for table, entries in tables.items():
        lines.append(f"[{table}]")
        lines += [f"{key} = {json.dumps(value)}" for key, value in entries.items()]
    path = folder / "composed.toml"
    path.write_text("\n".join(lines))
    return path


class Graph:
    """A model run through its predictor alone, on input cut out by the truth."""

    def __init__(self, model: Path) -> None:
        profile = NetworkProfile(offers()[0].offer, batch_size=_BATCH)
        self._predictor = load_predictor(*find_graph(model), profile=profile)

    def __call__(self, images: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return the first output for a batch [B,3,H,W]."""
        [name] = self._predictor.input_names
        return self._predictor.predict({name: images})[0]
