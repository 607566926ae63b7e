"""Small programs as a worker loads them, and how far their numbers are from others."""

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from core.profile import profile_for
from core.ways import Way
from worker.engines.paddle.engine import PaddlePredictor, load_predictors, offers

PROFILE = profile_for(offers()[0], batch_size=None, jpeg_quality=90)


def load(graph: Path, way: Way) -> tuple[PaddlePredictor, ...]:
    """A first predictor and its clone."""
    weights = graph.with_suffix(".pdiparams")
    return load_predictors(graph, weights, profile=PROFILE, way=way, count=2)


def distance(found: list[NDArray[Any]], expected: list[NDArray[Any]]) -> float:
    """The largest difference of any two numbers."""
    assert [each.shape for each in found] == [each.shape for each in expected]
    return max(float(np.abs(a - b).max()) for a, b in zip(found, expected, strict=True))
