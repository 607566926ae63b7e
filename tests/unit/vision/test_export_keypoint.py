from pathlib import Path
from typing import Any

import pytest
import yaml

from core.errors import UsageError
from vision.exports.export import read_export
from vision.ops.detection import NormalizeImage, Permute
from vision.ops.keypoint import EvalAffine, TopDownEvalAffine

NORMALIZE = {"type": "NormalizeImage", "mean": [0.4, 0.5, 0.6], "std": [1, 2, 3], "is_scale": True}
PERMUTE = {"type": "Permute"}
TOP_DOWN = {"type": "TopDownEvalAffine", "trainsize": [96, 128]}
BOTTOM_UP = {"type": "EvalAffine", "size": 512}


def export(folder: Path, arch: str, steps: Any) -> Path:
    config = {"arch": arch, "Preprocess": steps, "label_list": ["keypoint"]}
    (folder / "infer_cfg.yml").write_text(yaml.safe_dump(config))
    for name in ("model.json", "model.pdiparams"):
        (folder / name).write_bytes(b"")
    return folder


@pytest.mark.parametrize(
    ("arch", "step", "op"),
    [
        ("HRNet", TOP_DOWN, TopDownEvalAffine((96, 128))),
        ("HRNet", TOP_DOWN | {"use_udp": True}, TopDownEvalAffine((96, 128), use_udp=True)),
        ("HigherHRNet", BOTTOM_UP, EvalAffine(512)),
        ("HigherHRNet", BOTTOM_UP | {"stride": 64}, EvalAffine(512)),
    ],
)
def test_a_keypoint_model(tmp_path: Path, arch: str, step: dict[str, Any], op: Any) -> None:
    model = read_export(export(tmp_path, arch, [step, NORMALIZE, PERMUTE]))
    assert (model.task, model.arch, model.labels) == ("keypoint", arch, ("person",))
    assert model.ops == (op, NormalizeImage((0.4, 0.5, 0.6), (1, 2, 3)), Permute())


@pytest.mark.parametrize(
    ("arch", "steps", "message"),
    [
        ("HRNet", None, "no list Preprocess"),
        ("HRNet", [], "begins with TopDownEvalAffine"),
        ("HRNet", [BOTTOM_UP, PERMUTE], "begins with TopDownEvalAffine"),
        ("HigherHRNet", [TOP_DOWN, PERMUTE], "begins with EvalAffine"),
        ("HRNet", [TOP_DOWN | {"trainsize": 96}, PERMUTE], "TopDownEvalAffine cannot be read"),
        ("HRNet", [TOP_DOWN | {"trainsize": [96, 0]}, PERMUTE], "at least 2x2"),
        ("HRNet", [TOP_DOWN | {"novelty": 1}, PERMUTE], "novelty"),
        ("HigherHRNet", [BOTTOM_UP | {"size": 0}, PERMUTE], "must be positive"),
        ("HRNet", [TOP_DOWN, {"type": "Novelty"}, PERMUTE], "'Novelty' is unknown"),
        ("HRNet", [TOP_DOWN], "Permute once"),
    ],
)
def test_what_cannot_run_is_named(tmp_path: Path, arch: str, steps: Any, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        read_export(export(tmp_path, arch, steps))
