"""The networks that read text: one finds lines, one reads a line."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from core.errors import BadInputError, FatalError
from vision.exports.exported import ExportedModel
from vision.ops.preprocess import Prepared, Preprocessor
from vision.ops.resize import Size
from vision.outputs.ctc import LineText, decode_lines
from vision.outputs.db_settings import DbSettings
from vision.outputs.text_regions import TextRegions, find_regions

_MAPS, _STEPS = 4, 3  # dimensions: [B,1,H,W] and [B,T,classes]


class TextDetector:
    """DB: how likely each pixel is to be text. See `worker.networks.network.Network`."""

    def __init__(self, export: ExportedModel) -> None:
        self._settings = DbSettings.of(export.config)
        self.prepare = Preprocessor(export.ops)

    @staticmethod
    def split(
        outputs: Sequence[NDArray[Any]], batch: Sequence[Prepared], size: int
    ) -> list[NDArray[np.float32]]:
        """Return each image's map (H, W)."""
        found = outputs[0] if outputs else np.empty(0)
        expected = (size, 1, *batch[0].image.shape[1:])
        if found.shape != expected:
            raise FatalError(f"expected probabilities {expected}; the model gave {found.shape}")
        return list(found[: len(batch), 0].astype(np.float32, copy=False))

    def regions(self, probability: NDArray[np.float32], size: Size) -> TextRegions:
        """Return the lines in a picture of this size (h, w), in reading order.

        Raises:
            BadInputError: `model_output_invalid`: a probability is NaN.
        """
        if not np.isfinite(probability).all():
            raise BadInputError("model_output_invalid", "the text detector's map holds NaN")
        return find_regions(probability, size, self._settings)


class TextRecognizer:
    """CTC, which reads the characters of a line. See `worker.networks.network.Network`."""

    def __init__(self, export: ExportedModel) -> None:
        self._characters = export.labels
        self.prepare = Preprocessor(export.ops)

    def split(
        self, outputs: Sequence[NDArray[Any]], batch: Sequence[Prepared], size: int
    ) -> list[LineText]:
        """Return what each line says."""
        found = outputs[0] if outputs else np.empty(0)
        classes = len(self._characters)
        if found.ndim != _STEPS or found.shape[0] != size or found.shape[2] != classes:
            raise FatalError(
                f"the model gave {found.shape} for {size} lines and {classes} characters, the "
                "blank and the space among them",
                hint="the export's character_dict must list each of the model's characters",
            )
        return decode_lines(found[: len(batch)], self._characters)
