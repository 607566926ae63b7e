"""An engine whose ways do what `PRECARIOUS` says: `onednn=abort,onednn_unplaced=fine`.

`fine` finds a box in each picture, `wrong` finds it elsewhere, `abort` ends the process as a crash
in native code does, `kill` as somebody from outside does, and `hang` never comes back.
"""

import os
import signal
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from core.profile import EngineOffer, NetworkProfile, Offered
from core.ways import Way
from worker.engines.protocol import ModelFiles, Sizes

OFFER = EngineOffer("precarious", "1", "cpu-any", "fp32")


def offers() -> tuple[Offered, ...]:
    return (Offered(OFFER),)


def ways(model_file: Path) -> tuple[Way, ...]:
    del model_file
    return (Way.ONEDNN, Way.ONEDNN_UNPLACED)


def load(
    model: ModelFiles, profile: NetworkProfile, *, way: Way, sizes: Sizes, count: int
) -> "list[Precarious]":
    del model, profile, sizes
    told = dict(entry.split("=") for entry in os.environ["PRECARIOUS"].split(","))
    return [Precarious(told.get(way.value, "fine"))] * count


class Precarious:
    input_names = ("image",)
    memory_bytes = 0

    def __init__(self, does: str) -> None:
        self._does = does

    def predict(self, feeds: Mapping[str, NDArray[Any]]) -> list[NDArray[Any]]:
        if self._does == "abort":
            os.abort()
        if self._does == "kill":
            os.kill(os.getpid(), signal.SIGKILL)
        if self._does == "hang":
            threading.Event().wait()
        x = 50 if self._does == "wrong" else 5
        count = len(feeds["image"])
        rows = [[0, 0.9, x, 5, x + 20, 30]] * count
        return [np.array(rows, np.float32), np.ones(count, np.int32)]

    def close(self) -> None: ...
