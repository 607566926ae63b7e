"""Detection models: their preprocessing and postprocessing around a graph."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from core.errors import BadInputError, FatalError
from core.options import JobOptions
from predictions.answer import Answer
from predictions.detections import Detections
from vision.exports.exported import ExportedModel
from vision.ops.preprocess import Prepared, Preprocessor
from vision.ops.resize import Size
from vision.outputs.instances import (
    Instances,
    boxed_by_masks,
    read_instances,
    split_instances,
    split_segments,
)
from vision.outputs.picodet import Maps, PicoDecoder
from vision.outputs.postprocess import read_rows, split_rows
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


class MaskDetector(Detector):
    """A Mask R-CNN, or another detector with a third output of masks."""

    def split(
        self, outputs: Sequence[NDArray[Any]], batch: Sequence[Prepared], size: int
    ) -> list[Any]:
        """Return the `Instances` of each image."""
        return split_instances(outputs, [_source_size(one) for one in batch], size)

    def _read_above(self, output: Instances, limit: float) -> Detections:
        return read_instances(output, threshold=limit)


class MaskOnlyDetector(Detector):
    """A SOLOv2, whose boxes are drawn around its masks."""

    def split(
        self, outputs: Sequence[NDArray[Any]], batch: Sequence[Prepared], size: int
    ) -> list[Any]:
        """Return the `Instances` of the image."""
        if size != 1:
            raise FatalError(f"this model takes one image at a time, not {size}")
        return [split_segments(outputs, _source_size(batch[0]))]

    def _read_above(self, output: Instances, limit: float) -> Detections:
        return boxed_by_masks(read_instances(output, threshold=limit))


def _source_size(prepared: Prepared) -> Size:
    """Return the source image's size as the graph computes it."""
    height, width = np.floor(prepared.im_shape / prepared.scale_factor + np.float32(0.5))
    return int(height), int(width)


class PicoDetector(Detector):
    """See `vision.outputs.picodet`."""

    def __init__(self, export: ExportedModel) -> None:
        super().__init__(export)
        self._decoder = PicoDecoder.of(export.config)

    def split(
        self, outputs: Sequence[NDArray[Any]], batch: Sequence[Prepared], size: int
    ) -> list[Any]:
        """Return each image's maps, along with the prepared image."""
        maps = self._decoder.maps(outputs, size, _input_size(batch[0]))
        return [
            ([(scores[place], spread[place]) for scores, spread in maps], prepared)
            for place, prepared in enumerate(batch)
        ]

    def _read_above(self, output: tuple[Maps, Prepared], limit: float) -> Detections:
        maps, prepared = output
        rows = self._decoder.rows(
            maps, _input_size(prepared), prepared.im_shape, prepared.scale_factor
        )
        return read_rows(rows, threshold=limit)


def _input_size(prepared: Prepared) -> Size:
    height, width = prepared.image.shape[1:]
    return height, width
