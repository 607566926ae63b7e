"""Lists which of PaddleDetection's model families run here, and what the others are for."""

from pathlib import Path

from core.errors import UsageError

# The `arch` values that PaddleDetection's export writes, by purpose. Detectors are those whose
# graph outputs boxes in source pixels, with NMS inside or (DETR) no need for it.
_DETECTORS = frozenset(
    {"DETR", "EfficientDet", "FCOS", "Face", "GFL", "PPYOLOE", "RCNN", "RetinaNet", "SSD", "TOOD"}
    | {"CenterNet", "PicoDet", "SOLOv2", "TTFNet", "YOLO", "YOLOF", "YOLOX"}
)
SOLO, PICODET = "SOLOv2", "PicoDet"
"""Detectors whose graph outputs masks without boxes, or scores to decode (GFL's are decoded)."""

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
    """Check that a model of the architecture named in `path` can run as a detector.

    Raises:
        UsageError: It is for a different task, or its architecture is unknown.
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
