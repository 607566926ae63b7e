"""Which network stands for which task."""

from collections.abc import Callable

from vision.exports.exported import ExportedModel
from vision.exports.keypoint import TOP_DOWN
from worker.networks.classifier import Classifier
from worker.networks.detectors import detector_of
from worker.networks.matting import Matter
from worker.networks.network import Network
from worker.networks.panoptic_segmenter import PanopticSegmenter
from worker.networks.pose_network import BottomUp, TopDown
from worker.networks.segmenter import Segmenter
from worker.networks.text_network import TextDetector, TextRecognizer


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
