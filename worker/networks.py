"""Which network stands for which task."""

from collections.abc import Callable

from vision.exported import ExportedModel
from worker.classifier import Classifier
from worker.detectors import detector_of
from worker.matter import Matter
from worker.network import Network
from worker.panoptic_segmenter import PanopticSegmenter
from worker.segmenter import Segmenter

_NETWORKS: dict[str, Callable[[ExportedModel], Network]] = {
    "detect": detector_of,
    "classify": Classifier,
    "segment": Segmenter,
    "matting": Matter,
    "panoptic": PanopticSegmenter,
}


def network_of(export: ExportedModel) -> Network:
    """Return the network of an export, by its task."""
    return _NETWORKS[export.task](export)
