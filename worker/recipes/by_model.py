"""Chooses the recipe for a model."""

from collections.abc import Callable, Mapping
from typing import Any, cast

from core.errors import FatalError
from core.options import ModelRef
from core.tasks import DETECTOR, KEYPOINT, OCR, ORIENTATION, TASK, TEXT_DET, TEXT_REC
from worker.networks.classifier import Classifier
from worker.networks.detector import Detector
from worker.networks.network import Network, ReadableNetwork
from worker.networks.pose_network import TopDown
from worker.networks.text_network import TextDetector, TextRecognizer
from worker.recipes.ocr import OcrRecipe
from worker.recipes.recipe import WHOLE, OneLook, Recipe
from worker.recipes.sliced_detection import DetectionRecipe
from worker.recipes.top_down import TopDownRecipe


def recipe_of(ref: ModelRef, networks: Mapping[str, Network]) -> Recipe:
    """Return the recipe of a model made of these networks, which are given by role.

    Raises:
        UsageError: the networks don't fit together.
        FatalError: this version knows no model made of such parts.
    """
    if not ref.parts:
        network = networks[WHOLE]
        if isinstance(network, Detector):
            return DetectionRecipe(network)
        return OneLook(cast("ReadableNetwork", network), cuts_out=TASK[ref.task].has_cutouts)
    make = COMPOSED.get(ref.task)
    if make is None:
        raise FatalError(f"this version cannot compose a model for the task {ref.task!r}")
    return make(networks, ref.settings)


def _top_down(networks: Mapping[str, Any], settings: Mapping[str, Any]) -> Recipe:
    detector, keypoint = networks[DETECTOR], networks[KEYPOINT]
    assert isinstance(detector, Detector)
    assert isinstance(keypoint, TopDown)
    return TopDownRecipe(detector, keypoint, people=settings.get("people", ()))


def _ocr(networks: Mapping[str, Any], settings: Mapping[str, Any]) -> Recipe:
    del settings
    detector, recognizer = networks[TEXT_DET], networks[TEXT_REC]
    orientation = networks.get(ORIENTATION)
    assert isinstance(detector, TextDetector)
    assert isinstance(recognizer, TextRecognizer)
    assert orientation is None or isinstance(orientation, Classifier)
    return OcrRecipe(detector, recognizer, orientation)


COMPOSED: dict[str, Callable[[Mapping[str, Any], Mapping[str, Any]], Recipe]] = {
    KEYPOINT: _top_down,
    OCR: _ocr,
}
