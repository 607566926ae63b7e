"""Which of PaddleDetection's model families run here, and what the others are for."""

from pathlib import Path

from core.errors import UsageError

# The `arch` values that PaddleDetection's export writes, by what the model is for. Detectors are
# those whose graph ends in boxes in source pixels, with NMS inside or (DETR) without need of it.
_DETECTORS = frozenset(
    {"DETR", "EfficientDet", "FCOS", "Face", "GFL", "PPYOLOE", "RCNN", "RetinaNet", "SSD", "TOOD"}
    | {"CenterNet", "PicoDet", "SOLOv2", "TTFNet", "YOLO", "YOLOF", "YOLOX"}
)
SOLO, PICODET = "SOLOv2", "PicoDet"
"""Those whose graph does not end so: masks without boxes, and scores to be decoded (GFL is the
PicoDet whose graph does that itself)."""

_OTHER_TASKS = {
    "METRO_Body": "keypoint",
    "S2ANet": "rotated detection",
    "CLRNet": "lane detection",
    "ByteTrack": "tracking",
    "CenterTrack": "tracking",
    "DeepSORT": "tracking",
    "FairMOT": "tracking",
    "JDE": "tracking",
}


def check_detector(arch: str, path: Path) -> None:
    """Make sure that a model of an architecture that `path` names can run as a detector.

    Raises:
        UsageError: It is for another task, or its architecture is unknown.
    """
    task = _OTHER_TASKS.get(arch)
    if task is not None:
        raise UsageError(
            f"{path} is a {task} model (arch {arch}), not a detector",
            hint=f"{task} is not supported yet by this version",
        )
    if arch not in _DETECTORS:
        raise UsageError(
            f"the architecture {arch!r} in {path} is unknown",
            hint=f"this version runs {', '.join(sorted(_DETECTORS))}",
        )
