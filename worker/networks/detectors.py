"""Which detector stands for which architecture."""

from vision.exports.architectures import PICODET, SOLO
from vision.exports.detection import gives_masks
from vision.exports.exported import ExportedModel
from worker.networks.detector import Detector
from worker.networks.mask_detector import MaskDetector, MaskOnlyDetector
from worker.networks.pico_detector import PicoDetector


def detector_of(export: ExportedModel) -> Detector:
    """Return the detector of an export, by what its graph answers."""
    if export.arch == SOLO:
        return MaskOnlyDetector(export)
    if export.arch == PICODET:
        return PicoDetector(export)
    return MaskDetector(export) if gives_masks(export) else Detector(export)
