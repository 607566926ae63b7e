"""A panoptic model: a segment for each pixel, things apart from each other."""

from collections import Counter
from collections.abc import Sequence
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from core.errors import FatalError
from core.options import JobOptions
from store.parts import ClassScore, Segment
from vision.detections import label_of
from vision.draw.panoptic import draw_panoptic
from vision.exports.exported import ExportedModel
from vision.ops.preprocess import Prepared, Preprocessor
from vision.ops.segmentation import restored
from vision.read import panoptic
from vision.read.panoptic import PanopticMap, encode_panoptic, read_panoptic
from worker.networks.network import Answer

_Map = tuple[NDArray[Any], NDArray[np.float32]]  # numbers [H,W] and `Prepared.im_shape`


class PanopticSegmenter:
    """See `worker.networks.network.Network`."""

    def __init__(self, export: ExportedModel) -> None:
        self._labels = export.labels
        self.prepare = Preprocessor(export.ops)

    @staticmethod
    def split(outputs: Sequence[NDArray[Any]], batch: Sequence[Prepared], size: int) -> list[_Map]:
        """Return the numbers of each image, as large as the graph's input."""
        found = outputs[0] if outputs else np.empty(0)
        expected = (size, *batch[0].image.shape[1:])
        # They come with a channel or without.
        if found.dtype.kind not in "iu" or found.size != np.prod(expected):
            raise FatalError(
                f"expected segments {expected}; the model gave {found.dtype} {found.shape}"
            )
        maps = found.reshape(expected)
        return [(map_, one.im_shape) for map_, one in zip(maps, batch, strict=False)]

    def read(self, output: _Map, size_wh: tuple[int, int], options: JobOptions) -> Answer:
        """Return the share of each class that occurs, the largest first, and the map.

        Raises:
            BadInputError: `model_output_invalid`: a number stands for no segment.
        """
        found = self.found(output, size_wh)
        areas: Counter[int] = Counter()
        for segment in found.segments:
            areas[segment.category_id] += segment.area
        classes = tuple(
            ClassScore(label_of(self._labels, class_id), class_id, area / found.places.size)
            for class_id, area in areas.most_common()
        )
        draw = partial(draw_panoptic, found=found, labels=self._labels, alpha=options.drawing.alpha)
        segments = tuple(_segment(one, self._labels) for one in found.segments)
        return Answer(draw, classes=classes, segments=segments, mask=encode_panoptic(found))

    @staticmethod
    def found(output: _Map, size_wh: tuple[int, int]) -> PanopticMap:
        """Return the segments at the picture's size. Raises as `read`."""
        numbers, im_shape = output
        numbers = np.clip(numbers, -1, np.iinfo(np.int32).max).astype(np.int32)
        ids = restored(numbers, im_shape, (size_wh[1], size_wh[0]))
        return read_panoptic(ids)


def _segment(found: panoptic.Segment, labels: Sequence[str]) -> Segment:
    x, y, width, height = found.bbox
    return Segment(
        id=found.id,
        label=label_of(labels, found.category_id),
        class_id=found.category_id,
        is_thing=found.isthing,
        area=found.area,
        box=(x, y, x + width, y + height),
    )
