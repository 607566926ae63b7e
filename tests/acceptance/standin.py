"""An engine whose network is arithmetic, and which misbehaves when a picture tells it to.

Workers find it as the module that `REGATTA_ENGINES` names. A picture's mark is the colour of its
upper left corner; a mark does nothing unless `STANDIN_ARMED` lists it:

- `abort` ends the process as a crash in native code does;
- `hang` never comes back;
- `refuse` makes the network refuse the batch;
- `curse` makes the network fail on whatever comes from then on, in this process.

While the file that `STANDIN_SICK` names exists, every run of a process fails after the first
`STANDIN_SOUND_RUNS`.

While the file that `STANDIN_GATE` names exists, the mark `gate` waits, having said so in a file
beside it. `STANDIN_SECONDS` is how long a batch takes, until there is a file `gate.hurry` beside
that one; `STANDIN_LARGEST_BATCH` is what fits, and `STANDIN_NUMERICS` the revision that it
offers.
"""

import itertools
import os
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from core.profile import EngineOffer, NetworkProfile, Offered
from core.ways import Way
from worker.engines.protocol import ModelFiles, OutOfMemoryError, PredictError, Sizes

MARKS = {  # RGB
    "abort": (255, 0, 32),
    "hang": (255, 0, 64),
    "refuse": (255, 0, 96),
    "curse": (255, 0, 160),
    "gate": (255, 0, 128),
}
LABELS = ("bow", "cox", "stern")

_POLL_SECONDS = 0.02


class StandIn:
    """A predictor; its boxes are sums of each image's own pixels, so no batch changes them."""

    input_names = ("image", "scale_factor")
    memory_bytes = 0

    def predict(self, feeds: Mapping[str, NDArray[Any]]) -> list[NDArray[Any]]:
        images = feeds["image"]
        if len(images) > int(os.environ.get("STANDIN_LARGEST_BATCH", "1024")):
            raise OutOfMemoryError(f"{len(images)} images are too many")
        _work()
        _fail_if_sick()
        for image in images:
            _obey(image)
        rows = [_boxes(*pair) for pair in zip(images, feeds["scale_factor"], strict=True)]
        counts = np.array([len(found) for found in rows], np.int32)
        return [np.concatenate(rows), counts]

    def close(self) -> None:
        pass


def offers() -> tuple[Offered, ...]:
    numerics = int(os.environ.get("STANDIN_NUMERICS", "1"))
    return (Offered(EngineOffer("standin", "1", "cpu-any", "fp32", numerics)),)


def ways(model_file: Path) -> tuple[Way, ...]:
    del model_file
    return ()


def load(
    model: ModelFiles, profile: NetworkProfile, *, way: Way, sizes: Sizes, count: int
) -> tuple[StandIn, ...]:
    del model, profile, way, sizes
    return tuple(StandIn() for _ in range(count))


def _boxes(image: NDArray[np.float32], scale_factor: NDArray[np.float32]) -> NDArray[np.float32]:
    """One to three boxes in source pixels, one per colour, whose size that colour decides."""
    height, width = image.shape[1:]
    shares = image.mean(axis=(1, 2), dtype=np.float64) / 255
    rows = []
    for label, share in enumerate(shares[: 1 + int(image.sum(dtype=np.float64)) % 3]):
        x, y = 2 + 9 * label, 3 + 5 * label
        box = np.array([x, y, x + share * (width - x), y + share * (height - y)])
        rows.append([label, 0.6 + 0.3 * share, *(box / np.tile(scale_factor[::-1], 2))])
    return np.array(rows, np.float32)


def _obey(image: NDArray[np.float32]) -> None:
    corner = image[:, :4, :4].mean(axis=(1, 2))
    mark = next((m for m, rgb in MARKS.items() if np.abs(corner - rgb).max() < 1), None)
    armed = os.environ.get("STANDIN_ARMED", "").split(",")
    if mark == "gate" and (gate := os.environ.get("STANDIN_GATE")):
        _wait_at(Path(gate))
    if mark not in armed:
        return
    if mark == "abort":
        os.abort()
    if mark == "hang":
        threading.Event().wait()
    if mark == "refuse":
        raise PredictError("a picture says no")
    if mark == "curse":
        _cursed.set()
        _fail_if_sick()


_cursed = threading.Event()
_runs = itertools.count(1)


def _fail_if_sick() -> None:
    sick = os.environ.get("STANDIN_SICK")
    is_over = next(_runs) > int(os.environ.get("STANDIN_SOUND_RUNS", "0"))
    if _cursed.is_set() or (sick and is_over and Path(sick).exists()):
        raise PredictError("the device is gone")


def _work() -> None:
    gate = os.environ.get("STANDIN_GATE")
    if not (gate and Path(gate).with_suffix(".hurry").exists()):
        _pause(float(os.environ.get("STANDIN_SECONDS", "0")))


def _wait_at(gate: Path) -> None:
    if gate.exists():
        gate.with_suffix(".waiting").touch()
    while gate.exists():
        _pause(_POLL_SECONDS)


def _pause(seconds: float) -> None:
    if seconds:
        threading.Event().wait(seconds)
