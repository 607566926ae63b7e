"""Trains the shipped detector, which finds the boxes of everything in a scene."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sample.labels import LABELS
from training.export import export, image_spec
from training.fcos import DetectionLoss, Detector
from training.fit import Plan, fit, seed_all
from training.layers import Layer, functional
from training.pool import MEAN, STD, Floats, normalized, pooled, scene_of
from training.view import Image, lit, random_view
from worker.engines.paddle.vendor import paddle

SIDE = 384
"""The side of the network's square input, in pixels."""

BATCH = 12

_LEAST_SIDE = 4.0
_LEAST_LEFT = 0.35
_LEAST_SCORE, _OVERLAP, _BEFORE, _AFTER = 0.02, 0.6, 1000, 100


@dataclass(frozen=True, slots=True, eq=False)
class Sample:
    """A picture [H,W,3], blue first, with the classes [T] and boxes [T,4] of its things."""

    image: Image
    classes: NDArray[np.int64]
    boxes: Floats


class Deployed(Layer):  # type: ignore[misc]
    """The detector followed by scaling to source pixels and multi-class NMS."""

    def __init__(self, detector: Detector) -> None:
        super().__init__()
        self.detector = detector

    def forward(self, image: Any, scale_factor: Any) -> tuple[Any, Any]:
        """Return rows [sum N,6] and their counts [B] for images [B,3,S,S].

        A row is class, score, x1, y1, x2, y2; `scale_factor` [B,2] is y, x.
        """
        logits, boxes = self.detector(image)
        turned = paddle.flip(scale_factor, 1)
        boxes = boxes / paddle.concat([turned, turned], 1).unsqueeze(1)
        scores = functional.sigmoid(logits).transpose([0, 2, 1])
        rows, _, counts = paddle._C_ops.multiclass_nms3(  # noqa: SLF001 - as PaddleDetection does
            boxes, scores, None, _LEAST_SCORE, _BEFORE, _AFTER, _OVERLAP, True, 1.0, -1
        )
        return rows, counts


def sample_of(seed: int) -> Sample:
    """Return the scene with this seed and its things' boxes."""
    scene = scene_of(seed)
    classes = np.array([thing.class_id for thing in scene.things], np.int64)
    boxes = np.array([thing.box for thing in scene.things], np.float32).reshape(-1, 4)
    return Sample(scene.image, classes, boxes)


def train(scenes: int, plan: Plan) -> Detector:
    """Train the network and return it."""
    seed_all(1)
    rng = np.random.default_rng(1)
    pool = pooled(sample_of, scenes)
    network = Detector(len(LABELS))
    loss = DetectionLoss(SIDE)

    def losses() -> dict[str, Any]:
        batch = [shown(pool[number], rng) for number in rng.integers(len(pool), size=BATCH)]
        logits, boxes = network(paddle.to_tensor(normalized([sample.image for sample in batch])))
        scores, sides = loss(logits, boxes, [(sample.classes, sample.boxes) for sample in batch])
        return {"scores": scores, "boxes": sides}

    fit(network, losses, plan)
    return network


def shown(sample: Sample, rng: np.random.Generator) -> Sample:
    """Return the picture as a square, randomly mirrored, cropped and lit."""
    height, width = sample.image.shape[:2]
    view = random_view(rng, (width, height), (SIDE, SIDE))
    corners = view.points(sample.boxes.reshape(-1, 2, 2))
    boxes = np.concatenate([corners.min(1), corners.max(1)], 1)
    whole = (boxes[:, 2:] - boxes[:, :2]).prod(1)
    boxes = boxes.clip(0, SIDE)
    left = boxes[:, 2:] - boxes[:, :2]
    keep = (left > _LEAST_SIDE).all(1) & (left.prod(1) > _LEAST_LEFT * whole)
    return Sample(lit(view.image(sample.image), rng), sample.classes[keep], boxes[keep])


def export_detector(detector: Detector, directory: Path) -> None:
    """Write `infer_cfg.yml` and the graph, as PaddleDetection's `tools/export_model.py` does."""
    config = {
        "mode": "paddle",
        "draw_threshold": 0.35,
        "metric": "COCO",
        "use_dynamic_shape": False,
        "arch": "FCOS",
        "min_subgraph_size": 3,
        "Preprocess": [
            {"type": "Resize", "target_size": [SIDE, SIDE], "keep_ratio": False, "interp": 3},
            {"type": "NormalizeImage", "is_scale": True, "mean": list(MEAN), "std": list(STD)},
            {"type": "Permute"},
        ],
        "label_list": list(LABELS),
    }
    specs = [
        image_spec("image", SIDE, SIDE),
        paddle.static.InputSpec([None, 2], "float32", "scale_factor"),
    ]
    export(Deployed(detector), directory, specs, "infer_cfg.yml", config)
