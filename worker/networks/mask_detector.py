"""Detectors that give each object a mask."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from core.errors import FatalError
from predictions.detections import Detections
from vision.ops.preprocess import Prepared
from vision.ops.resize import Size
from vision.read.instances import (
    Instances,
    boxed_by_masks,
    read_instances,
    split_instances,
    split_segments,
)
from worker.networks.detector import Detector


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
