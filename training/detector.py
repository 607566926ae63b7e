"""Trains the shipped detector on scenes of the sample world: `python -m training.detector`.

Everything is seeded. On two cores it takes about 45 minutes.
"""

import argparse
import copy
import math
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

from sample.labels import LABELS
from sample.shipped import DETECTOR
from training.card import card
from training.evaluate import HELD_OUT_SCENES, measure
from training.export import export_detector
from training.loss import DetectionLoss, Truth
from training.network import Detector
from training.pool import Sample, normalized, render_pool, shown
from worker.predictors.vendor import paddle

SIDE = 384
"""Of the square that the network sees, in pixels."""

TRAINING_SEEDS = 10_000_000
"""Where the seeds of training scenes begin; no demo and no test goes that far."""

_SCENES = 4000
_BATCH = 12
_STEPS = 2200
_WARM_UP = 100
_PEAK_RATE = 0.003
_LAST_RATE = 0.03
_DECAY = 0.02
_REPORT_STEPS = 50


def train(steps: int = _STEPS, scenes: int = _SCENES, seed: int = 1) -> Any:
    """The trained network, with the running average of its weights."""
    paddle.seed(seed)
    rng = np.random.default_rng(seed)
    pool = render_pool(TRAINING_SEEDS, scenes)
    network = Detector(len(LABELS))
    network.train()
    loss = DetectionLoss(SIDE)
    schedule = paddle.optimizer.lr.LambdaDecay(_PEAK_RATE, lambda step: _rate(step, steps))
    optimizer = paddle.optimizer.AdamW(
        schedule,
        parameters=network.parameters(),
        weight_decay=_DECAY,
        apply_decay_param_fun=lambda name: "conv2d" in name and ".w" in name,
        grad_clip=paddle.nn.ClipGradByGlobalNorm(10.0),
    )
    average = copy.deepcopy(network.state_dict())
    started = time.monotonic()
    order: list[int] = []
    for step in range(steps):
        if len(order) < _BATCH:
            order = rng.permutation(len(pool)).tolist()
        chosen = [pool[order.pop()] for _ in range(_BATCH)]
        batch = [shown(sample, SIDE, rng) for sample in chosen]
        logits, boxes = network(paddle.to_tensor(normalized([sample.image for sample in batch])))
        score_loss, box_loss = loss(logits, boxes, _truth(batch))
        (score_loss + box_loss).backward()
        optimizer.step()
        optimizer.clear_grad()
        schedule.step()
        _follow(average, network.state_dict(), min(0.998, (1 + step) / (10 + step)))
        if step % _REPORT_STEPS == 0:
            took = time.monotonic() - started
            print(  # noqa: T201 - a person waits
                f"step {step}/{steps}  scores {float(score_loss):.3f}  boxes {float(box_loss):.3f}"
                f"  {(step + 1) * _BATCH / took:.1f} images/s",
                flush=True,
            )
    network.set_state_dict(average)
    network.eval()
    return network


def _rate(step: int, steps: int) -> float:
    """Part of the peak rate: a short rise, then half a cosine."""
    if step < _WARM_UP:
        return (step + 1) / _WARM_UP
    share = (step - _WARM_UP) / max(1, steps - _WARM_UP)
    return _LAST_RATE + (1 - _LAST_RATE) * (1 + math.cos(math.pi * share)) / 2


def _truth(batch: list[Sample]) -> Truth:
    return [(sample.classes, sample.boxes) for sample in batch]


def _follow(average: dict[str, Any], now: dict[str, Any], inertia: float) -> None:
    for name, value in now.items():
        average[name].set_value(average[name] * inertia + value * (1 - inertia))


def main() -> None:
    """Train, export, measure, and write the card."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--output", type=Path, default=DETECTOR, help="where the export goes")
    parser.add_argument("--steps", type=int, default=_STEPS)
    parser.add_argument("--scenes", type=int, default=_SCENES)
    arguments = parser.parse_args()
    output = arguments.output.resolve()
    export_detector(train(arguments.steps, arguments.scenes), output, SIDE)
    write_card(output, f"{arguments.steps} steps of {_BATCH} pictures of {arguments.scenes} scenes")


def write_card(output: Path, training: str) -> None:
    """Measure the exported model, and say beside it how good it is."""
    with tempfile.TemporaryDirectory() as folder:
        measured = measure(output, HELD_OUT_SCENES, Path(folder))
    (output / "README.md").write_text(card(output.name, SIDE, measured, training))
    print(f"AP50 {measured.ap50:.3f}")  # noqa: T201 - a person waits


if __name__ == "__main__":
    main()
