"""Which network stands for which task."""

from collections.abc import Callable

from vision.export_keypoint import TOP_DOWN
from vision.exported import ExportedModel
from worker.classifier import Classifier
from worker.detectors import detector_of
from worker.matter import Matter
from worker.network import Network
from worker.panoptic_segmenter import PanopticSegmenter
from worker.pose_network import BottomUp, TopDown
from worker.segmenter import Segmenter
from worker.text_network import TextDetector, TextRecognizer


def _pose_network(export: ExportedModel) -> Network:
    return TopDown(export) if export.arch == TOP_DOWN else BottomUp(export)


_NETWORKS: dict[str, Callable[[ExportedModel], Network]] = {
    "detect": detector_of,
    "classify": Classifier,
    "segment": Segmenter,
    "keypoint": _pose_network,
    "text_det": TextDetector,
    "text_rec": TextRecognizer,
    "matting": Matter,
    "panoptic": PanopticSegmenter,
}


def network_of(export: ExportedModel) -> Network:
    """Return the network of an export, by its task."""
    return _NETWORKS[export.task](export)
