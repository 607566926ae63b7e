"""The training loop of the shipped models, and the types that describe a training."""

import copy
import math
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2

from sample.shipped import Shipped
from worker.engines.paddle.vendor import paddle

Losses = Callable[[], Mapping[str, Any]]
"""Draws a batch and returns the network's losses on it, by name."""

_LAST_RATE = 0.03
_DECAY = 0.02
_INERTIA = 0.998
_STEEPEST = 10.0
_REPORT_STEPS = 50


@dataclass(frozen=True, slots=True)
class Plan:
    """How long and how fast to train: the rate rises for `warm_up` steps, then falls."""

    steps: int
    peak_rate: float = 0.003
    warm_up: int = 100

    def rate(self, step: int) -> float:
        """Return the share of the peak rate: a short rise, then half a cosine."""
        if step < self.warm_up:
            return (step + 1) / self.warm_up
        share = (step - self.warm_up) / max(1, self.steps - self.warm_up)
        return _LAST_RATE + (1 - _LAST_RATE) * (1 + math.cos(math.pi * share)) / 2


@dataclass(frozen=True, slots=True)
class Measured:
    """Scores, 0 to 1, on a number of held-out scenes; the first is that of `sample.shipped`.

    `classes` breaks the score named by `of_class` down by class.
    """

    scenes: int
    scores: Mapping[str, float]
    of_class: str = ""
    classes: Mapping[str, float] | None = None

    @property
    def score(self) -> float:
        """The first score."""
        return next(iter(self.scores.values()))


@dataclass(frozen=True, slots=True)
class Recipe:
    """How one shipped model is made.

    `train` takes the number of scenes to draw and the plan; each step takes `batch` of `shown`.
    `held_out` is the number of scenes that it is measured on, `judged` how; `about` are the rows of
    its card that describe the model.
    """

    shipped: Shipped
    scenes: int
    batch: int
    plan: Plan
    train: Callable[[int, Plan], Any]
    export: Callable[[Any, Path], None]
    measure: Callable[[Path, int, Path], Measured]
    held_out: int
    shown: str
    judged: str
    about: Mapping[str, str]


def seed_all(seed: int) -> None:
    """Make what follows reproducible on the same machine, on one core."""
    paddle.seed(seed)
    paddle.framework.core.set_num_threads(1)
    cv2.setNumThreads(1)


def fit(network: Any, losses: Losses, plan: Plan) -> None:
    """Train a network in place and leave it with the average of its weights, in eval mode."""
    network.train()
    schedule = paddle.optimizer.lr.LambdaDecay(plan.peak_rate, plan.rate)
    optimizer = paddle.optimizer.AdamW(
        schedule,
        parameters=network.parameters(),
        weight_decay=_DECAY,
        apply_decay_param_fun=lambda name: "conv2d" in name and ".w" in name,
        grad_clip=paddle.nn.ClipGradByGlobalNorm(_STEEPEST),
    )
    average = copy.deepcopy(network.state_dict())
    started = time.monotonic()
    for step in range(plan.steps):
        wrong = losses()
        paddle.add_n(list(wrong.values())).backward()
        optimizer.step()
        optimizer.clear_grad()
        schedule.step()
        _follow(average, network.state_dict(), min(_INERTIA, (1 + step) / (10 + step)))
        if step % _REPORT_STEPS == 0:
            named = "  ".join(f"{name} {float(value):.3f}" for name, value in wrong.items())
            took = time.monotonic() - started
            print(f"step {step}/{plan.steps}  {named}  {took:.0f} s", flush=True)  # noqa: T201 - a person waits
    network.set_state_dict(average)
    network.eval()


def _follow(average: dict[str, Any], now: dict[str, Any], inertia: float) -> None:
    for name, value in now.items():
        average[name].set_value(average[name] * inertia + value * (1 - inertia))
