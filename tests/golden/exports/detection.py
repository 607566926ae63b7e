"""Exports one model of PaddleDetection, as its `tools/export_model.py` does but for the weights.

python detection.py CHECKOUT PHOTOS NAME FOLDER
"""

import sys
from pathlib import Path
from typing import Any

import paddle
import stand_ins
from calibration import SEED, calibrate, pictures
from recipes import PADDLEDETECTION


def _top_peaks(self: Any, outputs: Any) -> list[Any]:
    """`HigherHRNet.get_topk` for what an export has, for a Paddle that multiplies no booleans."""
    heatmap, tagmap = (self.interpolate(one) for one in outputs)
    peaks = heatmap * (heatmap == self.pool(heatmap)).astype(heatmap.dtype)
    flat = peaks.reshape([1, self.hrhrnet_head.num_joints, -1])
    best, places = flat.topk(self.max_num_people, axis=2)
    return [heatmap, tagmap.unsqueeze(4), best, places]


def main() -> int:
    checkout, photos, name, folder = Path(sys.argv[1]), Path(sys.argv[2]), *sys.argv[3:]
    recipe = PADDLEDETECTION[name]
    paddle.set_device("cpu")
    paddle.seed(SEED)
    stand_ins.prepare(checkout)
    workspace = stand_ins.module("ppdet.core.workspace")
    trainer_class: Any = stand_ins.module("ppdet.engine").Trainer
    modeling = stand_ins.module("ppdet.modeling.architectures.keypoint_hrhrnet")
    modeling.HigherHRNet.get_topk = _top_peaks
    config = workspace.load_config(str(checkout / recipe.config))
    workspace.merge_config(dict(recipe.changes))
    config.use_gpu = False
    trainer = trainer_class(config, mode="test")
    model = trainer.model
    if hasattr(model, "deploy"):
        model.deploy = True  # no mirrored picture beside each
    height, width = recipe.size
    images = pictures(photos, recipe)
    feeds = {
        "image": images,
        "im_shape": paddle.to_tensor([[float(height), float(width)]] * len(images)),
        "scale_factor": paddle.to_tensor([[1.0, 1.0]] * len(images)),
    }
    calibrate(model, lambda: model(feeds), recipe.heads)
    trainer.export(folder)
    return 0


if __name__ == "__main__":
    sys.exit(main())
