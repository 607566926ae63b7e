"""A detection model: its preprocessing and postprocessing around a graph."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from core.errors import BadInputError
from core.options import JobOptions
from predictions.answer import Answer
from predictions.detections import Detections
from vision.exports.exported import ExportedModel
from vision.ops.preprocess import Prepared, Preprocessor
from vision.read.postprocess import read_rows, split_rows
from vision.rle import moved


class Detector:
    """See `worker.networks.network.Network`."""

    def __init__(self, export: ExportedModel) -> None:
        self.labels = export.labels
        self._threshold = export.threshold
        self.prepare = Preprocessor(export.ops)

    def split(
        self, outputs: Sequence[NDArray[np.float32]], batch: Sequence[Prepared], size: int
    ) -> list[NDArray[np.float32]]:
        """Return the rows of each image."""
        return split_rows(outputs, size)[: len(batch)]

    def read(
        self, output: NDArray[np.float32], size_wh: tuple[int, int], options: JobOptions
    ) -> Answer:
        """Return one image's detections. Raises as `found`."""
        # Boxes are in source pixels already; masks may be of a size that the graph has rounded.
        found = moved(self.found(output, options), 0, 0, (size_wh[1], size_wh[0]))
        return Answer(detections=found)

    def found(self, output: NDArray[np.float32], options: JobOptions) -> Detections:
        """Return what was found in one image.

        Raises:
            BadInputError: `model_output_invalid`: a row isn't finite, or its class is unknown.
        """
        limit = self._threshold if options.rows.threshold is None else options.rows.threshold
        found = self._read_above(output, limit)
        last = found.class_ids.max(initial=-1)
        if last >= len(self.labels):
            raise BadInputError(
                "model_output_invalid",
                f"class {last} was found, but the model names only {len(self.labels)} classes",
            )
        return replace(found, labels=self.labels)

    def _read_above(self, output: Any, limit: float) -> Detections:
        return read_rows(output, threshold=limit)
