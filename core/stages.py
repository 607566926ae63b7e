"""The stages of a worker's pipeline, for which shards record how long each was busy."""

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any

STAGES = ("fetch", "decode", "predict", "advance", "finish", "upload")
"""In the order in which an item passes them."""


def busy_seconds(timings: Iterable[Mapping[str, Any] | None]) -> dict[str, float]:
    """Return how many seconds each stage worked, all threads together, in the pipeline's order.

    `timings` are those of shards; anything else that they hold is ignored, as are idle stages.
    """
    seconds: Counter[str] = Counter()
    for timing in timings:
        for stage in STAGES:
            seconds[stage] += (timing or {}).get(stage, 0.0)
    return {stage: round(seconds[stage], 3) for stage in STAGES if seconds[stage]}
