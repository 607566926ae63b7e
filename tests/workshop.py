"""Parts of a worker to try things on: a scripted network, pictures that say their number."""

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import yaml
from numpy.typing import NDArray

from core.items import ItemRef
from core.kinds import ShardKind
from core.options import JobOptions, ModelRef
from core.profile import EngineOffer, NetworkProfile, Offered
from core.sources import parse_source
from core.ways import Way
from core.work import Hold, WorkUnit
from tests.bench import OFFER, OPTIONS, PROFILE
from vision.exports.export import export_digest
from worker.engines.protocol import Engine, ModelFiles, OutOfMemoryError, PredictError, Sizes
from worker.engines.registry import Engines
from worker.models import Models
from worker.run import ShardRun

PATIENCE = 20.0  # seconds until a test that waits for another thread gives up
LABELS = ("even", "odd")


@dataclass
class Network:
    """An engine whose network finds one box in each picture, which tells the picture's number.

    `before` is called with the numbers of each batch and may raise or wait. `batches` are the
    batches that were run, `loaded` and `closed` count predictors. `broken` is what loading raises.
    """

    offer: EngineOffer = OFFER
    largest_batch: int = 1024
    refused: frozenset[int] = frozenset()
    before: Callable[[list[int]], None] = lambda _: None
    batches: list[list[int]] = field(default_factory=list)
    loaded: int = 0
    closed: int = 0
    broken: Exception | None = None

    def offers(self) -> tuple[Offered, ...]:
        return (Offered(self.offer),)

    def ways(self, model_file: Path) -> tuple[Way, ...]:
        return ()

    def load(
        self, model: ModelFiles, profile: NetworkProfile, *, way: Way, sizes: Sizes, count: int
    ) -> "list[NumberFinder]":
        if self.broken is not None:
            raise self.broken
        self.loaded += count
        return [NumberFinder(self) for _ in range(count)]


class NumberFinder:
    input_names = ("image",)
    memory_bytes = 1000

    def __init__(self, network: Network) -> None:
        self._network = network

    def predict(self, feeds: Mapping[str, NDArray[Any]]) -> list[NDArray[Any]]:
        numbers = [int(number) for number in feeds["image"][:, 0, 0, 0]]
        self._network.batches.append(numbers)
        if len(numbers) > self._network.largest_batch:
            raise OutOfMemoryError(f"{len(numbers)} are too many")
        self._network.before(numbers)
        if self._network.refused.intersection(numbers):
            raise PredictError("a picture says no")
        rows = [[n % 2, 0.9, n, n, n + 1, n + 2] for n in numbers]
        return [np.array(rows, np.float32), np.ones(len(numbers), np.int32)]

    def close(self) -> None:
        self._network.closed += 1


def models_of(*engines: Engine, replicas: int, memory_bytes: int = 10**9) -> Models:
    """Models that run on these engines, with room for whatever a test loads."""
    return Models(Engines(engines), replicas=replicas, memory_bytes=memory_bytes)


def write_model(directory: Path, labels: tuple[str, ...] = LABELS) -> ModelRef:
    """Write a model directory whose preprocessing changes no pixel."""
    directory.mkdir(parents=True)
    config = {"arch": "YOLO", "Preprocess": [{"type": "Permute"}], "label_list": list(labels)}
    (directory / "infer_cfg.yml").write_text(yaml.safe_dump(config))
    (directory / "model.json").write_text("{}")
    (directory / "model.pdiparams").write_bytes(b"\0")
    return ModelRef("numbers", "detect", export_digest(directory), f"file://{directory}")


def write_item(
    folder: Path, number: int, *, index: int | None = None, size: tuple[int, int] = (8, 6)
) -> ItemRef:
    """Write a picture of `size` (width, height) all of whose pixels are `number`, 0 to 255."""
    folder.mkdir(parents=True, exist_ok=True)
    done, data = cv2.imencode(".png", np.full((size[1], size[0], 3), number, np.uint8))
    assert done
    key = f"{number:03d}.png"
    (folder / key).write_bytes(bytes(data))
    return ItemRef(number if index is None else index, key)


def work_unit(  # one for each field that a test has something to say about
    model: ModelRef,
    *,
    source: Path,
    output: Path,
    shard: int = 1,
    stop: int = 1,
    options: JobOptions = OPTIONS,
    **changes: Any,
) -> WorkUnit:
    """A claimed shard of job `a`."""
    values: dict[str, Any] = {
        "hold": Hold(shard, 1),
        "job": "a",
        "part": "000000",
        "kind": ShardKind.INFER,
        "task": "detect",
        "sources": {"": parse_source(f"{source}/")},
        "output": str(output),
        "items_key": "items/part-00000-1.parquet",
        "start": 0,
        "stop": stop,
        "model": model,
        "options": options,
        "frozen_profile": PROFILE,
        "suspect": False,
        "deaths": {},
        "previous_part": None,
    }
    return WorkUnit(**values | changes)


def new_run(unit: WorkUnit, *, lease_seconds: float = 1000.0) -> ShardRun:
    return ShardRun(unit, lease_seconds=lease_seconds, margin=0.0)


class Gate:
    """Holds threads up until it is opened, and tells when one stands at it."""

    def __init__(self) -> None:
        self._reached, self._opened = threading.Event(), threading.Event()

    def wait(self, *_: object) -> None:
        """Stand at the gate."""
        self._reached.set()
        assert self._opened.wait(PATIENCE)

    def until_reached(self) -> None:
        assert self._reached.wait(PATIENCE)

    def open(self) -> None:
        self._opened.set()
