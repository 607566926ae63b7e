"""Which detector stands for which architecture."""

from vision.architectures import PICODET, SOLO
from vision.exported import ExportedModel
from worker.detector import Detector
from worker.mask_detector import MaskDetector, MaskOnlyDetector
from worker.pico_detector import PicoDetector


def detector_of(export: ExportedModel) -> Detector:
    """Return the detector of an export, by what its graph answers."""
    if export.arch == SOLO:
        return MaskOnlyDetector(export)
    if export.arch == PICODET:
        return PicoDetector(export)
    return MaskDetector(export) if export.config.get("mask") else Detector(export)
