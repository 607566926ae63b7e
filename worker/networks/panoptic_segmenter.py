"""A panoptic model: it assigns each pixel to a segment, and tells things of a class apart."""

from collections import Counter
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from core.errors import FatalError
from core.options import JobOptions
from predictions.answer import Answer, ClassScore
from predictions.detections import label_of
from vision.exports.exported import ExportedModel
from vision.ops.preprocess import Prepared, Preprocessor
from vision.ops.segmentation import restored
from vision.outputs.panoptic import read_panoptic

_Map = tuple[NDArray[Any], NDArray[np.float32]]  # numbers [H,W] and `Prepared.im_shape`


class PanopticSegmenter:
    """See `worker.networks.network.Network`."""

    def __init__(self, export: ExportedModel) -> None:
        self._labels = export.labels
        self.prepare = Preprocessor(export.ops)

    @staticmethod
    def split(outputs: Sequence[NDArray[Any]], batch: Sequence[Prepared], size: int) -> list[_Map]:
        """Return each image's segment numbers, at the size of the graph's input."""
        found = outputs[0] if outputs else np.empty(0)
        expected = (size, *batch[0].image.shape[1:])
        # They come with or without a channel dimension.
        if found.dtype.kind not in "iu" or found.size != np.prod(expected):
            raise FatalError(
                f"expected segments {expected}; the model gave {found.dtype} {found.shape}"
            )
        maps = found.reshape(expected)
        return [(map_, one.im_shape) for map_, one in zip(maps, batch, strict=False)]

    def read(self, output: _Map, size_wh: tuple[int, int], options: JobOptions) -> Answer:
        """Return the share of each class that occurs, largest first, and the map.

        Raises:
            BadInputError: `model_output_invalid`: a number doesn't stand for a segment.
        """
        del options
        numbers, im_shape = output
        numbers = np.clip(numbers, -1, np.iinfo(np.int32).max).astype(np.int32)
        ids = restored(numbers, im_shape, (size_wh[1], size_wh[0]))
        segments = read_panoptic(ids, self._labels)
        areas: Counter[int] = Counter()
        for segment in segments:
            areas[segment.class_id] += segment.area
        classes = tuple(
            ClassScore(label_of(self._labels, class_id), class_id, area / ids.size)
            for class_id, area in areas.most_common()
        )
        return Answer(classes=classes, segments=segments, mask=ids)
