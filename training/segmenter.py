"""Trains the shipped segmentation model, which says what each pixel shows."""

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sample.labels import SEGMENTS
from training.export import export, image_spec
from training.fit import Plan, fit, seed_all
from training.layers import Layer, PerPixel, functional
from training.pool import MEAN, STD, normalized, pooled, scene_of
from training.view import IGNORED, View, lit, random_view
from worker.engines.paddle.vendor import paddle

SIDE = 256
"""The side of the network's square input, in pixels."""

BATCH = 8

_WIDTHS = (12, 24, 40, 64, 80)
_NECK, _FINE = 24, 16
_POWER = 0.5  # of a class's share; 1 would fully compensate for its rarity
_SMOOTH = 1.0

Pair = tuple[NDArray[np.uint8], NDArray[np.uint8]]
"""A picture [H,W,3], blue first, and the labels [H,W] of its pixels."""


class Deployed(Layer):  # type: ignore[misc]
    """The segmenter followed by an argmax: the best class of each pixel."""

    def __init__(self, segmenter: PerPixel) -> None:
        super().__init__()
        self.segmenter = segmenter

    def forward(self, x: Any) -> Any:
        """Return labels [B,H,W], int32, for normalized RGB [B,3,H,W]."""
        logits = functional.interpolate(self.segmenter(x), scale_factor=2, mode="bilinear")
        return logits.argmax(1).astype("int32")


def pair_of(seed: int) -> Pair:
    """Return the scene with this seed and what its pixels show."""
    scene = scene_of(seed)
    return scene.image, scene.segments


def train(scenes: int, plan: Plan) -> PerPixel:
    """Train the network and return it."""
    seed_all(2)
    rng = np.random.default_rng(2)
    pool = pooled(pair_of, scenes)
    shares = np.bincount(
        np.concatenate([labels[::8, ::8].ravel() for _, labels in pool]), minlength=len(SEGMENTS)
    )
    weights = (shares / shares.sum()) ** -_POWER
    weights = paddle.to_tensor((weights / weights.mean()).astype(np.float32))
    network = PerPixel(_WIDTHS, _NECK, _FINE, len(SEGMENTS))

    def losses() -> dict[str, Any]:
        views = [_seen(pool[number], rng) for number in rng.integers(len(pool), size=BATCH)]
        logits = network(paddle.to_tensor(normalized([image for image, _ in views])))
        labels = paddle.to_tensor(np.stack([labels for _, labels in views]).astype(np.int64))
        return {
            "entropy": functional.cross_entropy(
                logits, labels, weights, ignore_index=IGNORED, axis=1
            ),
            "overlap": _missed_overlap(logits, labels),
        }

    fit(network, losses, plan)
    return network


def _seen(pair: Pair, rng: np.random.Generator) -> Pair:
    image, labels = pair
    height, width = labels.shape
    view = random_view(rng, (width, height), (SIDE, SIDE))
    coarse = View(view.matrix / 2, (SIDE // 2, SIDE // 2))
    return lit(view.image(image), rng), coarse.labels(labels)


def _missed_overlap(logits: Any, labels: Any) -> Any:
    """Return 1 - soft Dice coefficient (Milletari 2016), over the classes in the batch."""
    known = (labels != IGNORED).astype("float32")
    classes = logits.shape[1]
    target = functional.one_hot(labels * (labels != IGNORED).astype("int64"), classes)
    target = target.transpose([0, 3, 1, 2]) * known.unsqueeze(1)
    guess = functional.softmax(logits, 1) * known.unsqueeze(1)
    shared = (guess * target).sum([0, 2, 3])
    either = guess.sum([0, 2, 3]) + target.sum([0, 2, 3])
    there = (target.sum([0, 2, 3]) > 0).astype("float32")
    missed = 1 - (2 * shared + _SMOOTH) / (either + _SMOOTH)
    return (missed * there).sum() / there.sum()


def export_segmenter(segmenter: PerPixel, directory: Path) -> None:
    """Write `deploy.yaml` and the graph, as PaddleSeg's `tools/export.py` does."""
    transforms = [
        {"type": "Resize", "target_size": [SIDE, SIDE], "interp": "AREA"},
        {"type": "Normalize", "mean": list(MEAN), "std": list(STD)},
    ]
    config = {
        "Deploy": {
            "model": "model.json",
            "params": "model.pdiparams",
            "transforms": transforms,
            "input_shape": [-1, 3, SIDE, SIDE],
            "output_op": "argmax",
            "output_dtype": "int32",
            "label_list": list(SEGMENTS),
        }
    }
    spec = image_spec("x", SIDE, SIDE)
    export(Deployed(segmenter), directory, [spec], "deploy.yaml", config)
