"""Chooses the network for a task and the detector for an architecture."""

from collections.abc import Callable

from core.tasks import (
    CLASSIFY,
    DETECT,
    KEYPOINT,
    MATTING,
    PANOPTIC,
    SEGMENT,
    TEXT_DET,
    TEXT_REC,
)
from vision.exports.architectures import PICODET, SOLO
from vision.exports.detection import gives_masks
from vision.exports.exported import ExportedModel
from vision.exports.keypoint import TOP_DOWN
from worker.networks.classifier import Classifier
from worker.networks.detector import Detector, MaskDetector, MaskOnlyDetector, PicoDetector
from worker.networks.matting import MattingNetwork
from worker.networks.network import Network
from worker.networks.panoptic_segmenter import PanopticSegmenter
from worker.networks.pose_network import BottomUp, TopDown
from worker.networks.segmenter import Segmenter
from worker.networks.text_network import TextDetector, TextRecognizer


def detector_of(export: ExportedModel) -> Detector:
    """Return the detector for an export, by what its graph outputs."""
    if export.arch == SOLO:
        return MaskOnlyDetector(export)
    if export.arch == PICODET:
        return PicoDetector(export)
    return MaskDetector(export) if gives_masks(export) else Detector(export)


def _pose_network(export: ExportedModel) -> Network:
    return TopDown(export) if export.arch == TOP_DOWN else BottomUp(export)


NETWORKS: dict[str, Callable[[ExportedModel], Network]] = {
    DETECT: detector_of,
    CLASSIFY: Classifier,
    SEGMENT: Segmenter,
    KEYPOINT: _pose_network,
    TEXT_DET: TextDetector,
    TEXT_REC: TextRecognizer,
    MATTING: MattingNetwork,
    PANOPTIC: PanopticSegmenter,
}


def network_of(export: ExportedModel) -> Network:
    """Return the network for an export, by its task."""
    return NETWORKS[export.task](export)
