"""A detection model: its preprocessing and postprocessing around a graph."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from core.errors import BadInputError
from store.parts import BoxColumns
from vision.annotate import draw_detections
from vision.detections import Detections
from vision.export import ExportedModel
from vision.postprocess import read_rows, split_rows
from vision.preprocess import Prepared, Preprocessor


class Detector:
    """Pure functions of an export; shared by all threads."""

    def __init__(self, export: ExportedModel) -> None:
        self.labels = export.labels
        self.threshold = export.draw_threshold
        self._preprocess = Preprocessor(export.ops)

    def prepare(self, image_bgr: NDArray[np.uint8]) -> Prepared:
        """Return what the graph wants of an upright image."""
        return self._preprocess(image_bgr)

    @staticmethod
    def feeds(batch: Sequence[Prepared], size: int) -> dict[str, NDArray[np.float32]]:
        """Stack a batch, padded to `size` by repeating its first image."""
        filled = [*batch, *[batch[0]] * (size - len(batch))]
        return {
            "image": np.stack([prepared.image for prepared in filled]),
            "im_shape": np.stack([prepared.im_shape for prepared in filled]),
            "scale_factor": np.stack([prepared.scale_factor for prepared in filled]),
        }

    @staticmethod
    def split(outputs: Sequence[NDArray[np.float32]], size: int) -> list[NDArray[np.float32]]:
        """Cut a batch's outputs into those of its images."""
        return split_rows(outputs, size)

    def read(self, rows: NDArray[np.float32], threshold: float | None) -> Detections:
        """Return one image's detections.

        Raises:
            BadInputError: `model_output_invalid`: a row is no number, or of no known class.
        """
        limit = self.threshold if threshold is None else threshold
        detections = read_rows(rows, threshold=limit)
        last = detections.class_ids.max(initial=-1)
        if last >= len(self.labels):
            raise BadInputError(
                "model_output_invalid",
                f"class {last} was found, but the model names only {len(self.labels)} classes",
            )
        return detections

    def columns(self, detections: Detections) -> BoxColumns:
        """Return detections as a result row holds them."""
        return BoxColumns(
            detections.xyxy, detections.scores, detections.class_ids, labels=self.labels
        )

    def draw(self, image_bgr: NDArray[np.uint8], detections: Detections) -> NDArray[np.uint8]:
        """Return the annotated picture."""
        return draw_detections(image_bgr, detections, self.labels)
