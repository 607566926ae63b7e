"""An image classifier: it gives one class, the best few, or every class above a threshold."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from core.errors import BadInputError, FatalError
from core.options import JobOptions
from predictions.answer import Answer, ClassScore
from vision.exports.exported import ExportedModel
from vision.ops.preprocess import Prepared, Preprocessor


class Classifier:
    """See `worker.networks.network.Network`."""

    def __init__(self, export: ExportedModel) -> None:
        self.labels = export.labels
        self._threshold = export.threshold
        self._most = export.most_classes
        self.prepare = Preprocessor(export.ops)

    def split(
        self, outputs: Sequence[NDArray[Any]], batch: Sequence[Prepared], size: int
    ) -> list[NDArray[np.float32]]:
        """Return each image's scores, one per class."""
        expected = (size, len(self.labels))
        if not outputs or outputs[0].shape != expected:
            given = outputs[0].shape if outputs else "nothing"
            raise FatalError(
                f"the model gave {given} for {size} images and {len(self.labels)} classes",
                hint="the export's label_list must name each of the model's classes",
            )
        return list(outputs[0].astype(np.float32, copy=False)[: len(batch)])

    def read(
        self, output: NDArray[np.float32], size_wh: tuple[int, int], options: JobOptions
    ) -> Answer:
        """Return one image's classes, best first.

        Raises:
            BadInputError: `model_output_invalid`: a score is NaN or infinite.
        """
        del size_wh
        if not np.isfinite(output).all():
            raise BadInputError("model_output_invalid", "a class's score is NaN or infinite")
        limit = self._threshold if options.rows.threshold is None else options.rows.threshold
        ranked = np.argsort(-output, kind="stable")[: self._most]
        return Answer(
            classes=tuple(
                ClassScore(self.labels[number], number, float(output[number]))
                for number in ranked.tolist()
                if output[number] > limit
            )
        )
