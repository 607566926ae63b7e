"""Writes a trained detector as PaddleDetection's `tools/export_model.py` does."""

import warnings
from pathlib import Path
from typing import Any

import yaml

from sample.labels import LABELS
from training.network import Detector
from training.pool import MEAN, STD
from worker.predictors.vendor import paddle

Layer: Any = paddle.nn.Layer

_LEAST_SCORE, _OVERLAP, _BEFORE, _AFTER = 0.02, 0.6, 1000, 100


class Deployed(Layer):  # type: ignore[misc]
    """The detector with what follows it: boxes in source pixels, multi-class NMS."""

    def __init__(self, detector: Detector) -> None:
        super().__init__()
        self.detector = detector

    def forward(self, image: Any, scale_factor: Any) -> tuple[Any, Any]:
        """`image` [B,3,S,S], `scale_factor` [B,2] as y, x -> rows [sum N,6], their number [B].

        A row is class, score, x1, y1, x2, y2.
        """
        logits, boxes = self.detector(image)
        turned = paddle.flip(scale_factor, 1)
        boxes = boxes / paddle.concat([turned, turned], 1).unsqueeze(1)
        scores = paddle.nn.functional.sigmoid(logits).transpose([0, 2, 1])
        rows, _, counts = paddle._C_ops.multiclass_nms3(  # noqa: SLF001 - as PaddleDetection does
            boxes, scores, None, _LEAST_SCORE, _BEFORE, _AFTER, _OVERLAP, True, 1.0, -1
        )
        return rows, counts


def export_detector(detector: Detector, directory: Path, side: int) -> None:
    """Write `infer_cfg.yml`, `model.json` and `model.pdiparams` into `directory`."""
    directory.mkdir(parents=True, exist_ok=True)
    deployed = Deployed(detector)
    deployed.eval()
    specs = [
        paddle.static.InputSpec([None, 3, side, side], "float32", "image"),
        paddle.static.InputSpec([None, 2], "float32", "scale_factor"),
    ]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Paddle's own, about its own API
        paddle.jit.save(deployed, str(directory / "model"), input_spec=specs)
    config = {
        "mode": "paddle",
        "draw_threshold": 0.35,
        "metric": "COCO",
        "use_dynamic_shape": False,
        "arch": "FCOS",
        "min_subgraph_size": 3,
        "Preprocess": [
            {"type": "Resize", "target_size": [side, side], "keep_ratio": False, "interp": 3},
            {"type": "NormalizeImage", "is_scale": True, "mean": list(MEAN), "std": list(STD)},
            {"type": "Permute"},
        ],
        "label_list": list(LABELS),
    }
    (directory / "infer_cfg.yml").write_text(yaml.safe_dump(config, sort_keys=False))
