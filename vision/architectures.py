"""Which of PaddleDetection's model families run here, and what the others are for."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from core.errors import UsageError

# The `arch` values that PaddleDetection's export writes, by what the model is for. Detectors are
# those whose graph ends in boxes in source pixels, with NMS inside or (DETR) without need of it.
_DETECTORS = frozenset(
    {"DETR", "EfficientDet", "FCOS", "Face", "GFL", "PPYOLOE", "RCNN", "RetinaNet", "SSD", "TOOD"}
    | {"CenterNet", "TTFNet", "YOLO", "YOLOF", "YOLOX"}
)
_OTHER_TASKS = {
    "METRO_Body": "keypoint",
    "SOLOv2": "instance segmentation",
    "S2ANet": "rotated detection",
    "CLRNet": "lane detection",
    "ByteTrack": "tracking",
    "CenterTrack": "tracking",
    "DeepSORT": "tracking",
    "FairMOT": "tracking",
    "JDE": "tracking",
}


def check_detector(arch: str, config: Mapping[str, Any], path: Path) -> None:
    """Make sure that a model, exported with these settings in `path`, can run as a detector.

    Raises:
        UsageError: It is for another task, or lacks a part, or its architecture is unknown.
    """
    task = _OTHER_TASKS.get(arch)
    if task is None and config.get("mask"):
        task = "instance segmentation"
    if task is not None:
        raise UsageError(
            f"{path} is a {task} model (arch {arch}), not a detector",
            hint=f"{task} is not supported yet by this version",
        )
    if arch == "PicoDet":
        raise UsageError(
            f"{path} is a PicoDet without its post-processing",
            hint="export it again with -o export.post_process=True export.benchmark=False",
        )
    if arch not in _DETECTORS:
        raise UsageError(
            f"the architecture {arch!r} in {path} is unknown",
            hint=f"this version runs {', '.join(sorted(_DETECTORS))}",
        )
