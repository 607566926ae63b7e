"""Small programs as a worker loads them, and how far their numbers are from others."""

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from core.profile import NetworkProfile
from core.ways import Way
from worker.engines.paddle.engine import PaddlePredictor, offers
from worker.engines.paddle.engine import load as load_all
from worker.engines.protocol import ModelFiles

PROFILE = NetworkProfile(offers()[0].offer, batch_size=8)


def load(graph: Path, way: Way) -> tuple[PaddlePredictor, ...]:
    """A first predictor and its clone."""
    weights = graph.with_suffix(".pdiparams")
    return load_all(ModelFiles(graph, weights), PROFILE, way=way, count=2)


def distance(found: list[NDArray[Any]], expected: list[NDArray[Any]]) -> float:
    """The largest difference of any two numbers."""
    assert [each.shape for each in found] == [each.shape for each in expected]
    return max(float(np.abs(a - b).max()) for a, b in zip(found, expected, strict=True))
