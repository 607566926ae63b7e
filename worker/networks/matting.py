"""A matting model: how much of each pixel belongs to the foreground."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from core.errors import BadInputError, FatalError
from core.options import JobOptions
from predictions.answer import Answer
from vision.draw.matting import alpha_bytes
from vision.exports.exported import ExportedModel
from vision.ops.matting import restored_alpha
from vision.ops.preprocess import Prepared, Preprocessor

_DIMENSIONS = 4


class MattingNetwork:
    """See `worker.networks.network.Network`."""

    def __init__(self, export: ExportedModel) -> None:
        self._ops = export.ops
        self.prepare = Preprocessor(export.ops)

    @staticmethod
    def split(
        outputs: Sequence[NDArray[Any]], batch: Sequence[Prepared], size: int
    ) -> list[NDArray[np.float32]]:
        """Return each image's alpha map, at the size of the graph's input."""
        found = outputs[0] if outputs else np.empty(0)
        expected = (size, 1, *batch[0].image.shape[1:])
        if found.ndim != _DIMENSIONS or found.dtype.kind != "f" or found.shape != expected:
            raise FatalError(
                f"expected alpha {expected}; the model gave {found.dtype} {found.shape}"
            )
        return list(found[: len(batch), 0].astype(np.float32, copy=False))

    def read(
        self, output: NDArray[np.float32], size_wh: tuple[int, int], options: JobOptions
    ) -> Answer:
        """Return the alpha map at the picture's size.

        Raises:
            BadInputError: `model_output_invalid`: a pixel is NaN or infinite.
        """
        del options
        if not np.isfinite(output).all():
            raise BadInputError("model_output_invalid", "the model's alpha holds NaN or infinity")
        size = (size_wh[1], size_wh[0])
        return Answer(mask=alpha_bytes(restored_alpha(output, self._ops, size)))
