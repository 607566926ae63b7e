"""A semantic segmentation model: it gives each pixel a class."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from core.errors import BadInputError, FatalError
from core.options import JobOptions
from predictions.answer import Answer, ClassScore, Legend
from predictions.detections import Detections, label_of
from vision.draw.segments import MOST_CLASSES, is_background
from vision.exports.exported import ExportedModel
from vision.ops.preprocess import Prepared, Preprocessor
from vision.ops.segmentation import restored
from vision.regions import class_counts, outlines

_BACKGROUND, _TWO = 0, 2
_LABELS, _SCORES = 3, 4  # dimensions: [B,H,W] of numbers, [B,classes,H,W] of scores


@dataclass(frozen=True, slots=True, eq=False)
class _Map:
    """The labels [H,W] of the graph's input, whose size without padding is `im_shape` (h, w).

    `classes` is their number, None if the graph doesn't say.
    """

    labels: NDArray[Any]
    im_shape: NDArray[np.float32]
    classes: int | None


class Segmenter:
    """See `worker.networks.network.Network`."""

    def __init__(self, export: ExportedModel) -> None:
        self._labels = export.labels
        self.prepare = Preprocessor(export.ops)

    @staticmethod
    def split(outputs: Sequence[NDArray[Any]], batch: Sequence[Prepared], size: int) -> list[_Map]:
        """Return each image's labels: the best-scored classes if the graph gives scores."""
        found = outputs[0] if outputs else np.empty(0)
        classes = None
        if found.ndim == _SCORES and found.dtype.kind == "f":
            classes = found.shape[1]
            labels = [scores.argmax(0) for scores in found[: len(batch)]]
        elif found.ndim == _LABELS and found.dtype.kind in "iu":
            labels = list(found[: len(batch)])
        else:
            raise FatalError(
                f"expected labels [B,H,W] or scores [B,classes,H,W]; "
                f"the model gave {found.dtype} {found.shape}"
            )
        if len(found) != size:
            raise FatalError(f"the model gave {len(found)} maps for {size} images")
        return [
            _Map(map_, prepared.im_shape, classes)
            for map_, prepared in zip(labels, batch, strict=True)
        ]

    def read(self, output: _Map, size_wh: tuple[int, int], options: JobOptions) -> Answer:
        """Return the share of each class that occurs, largest first, and the mask.

        Raises:
            BadInputError: `model_output_invalid`: a label doesn't fit into a mask.
        """
        low, high = int(output.labels.min()), int(output.labels.max())
        if low < 0 or high >= MOST_CLASSES:
            raise BadInputError("model_output_invalid", f"the model gave labels {low} to {high}")
        width, height = size_wh
        labels = restored(output.labels.astype(np.uint8), output.im_shape, (height, width))
        counts = class_counts(labels)
        present = [
            number for number in np.argsort(-counts, kind="stable").tolist() if counts[number]
        ]
        classes = tuple(
            ClassScore(label_of(self._labels, number), number, float(counts[number] / labels.size))
            for number in present
        )
        background = _BACKGROUND if self._has_background(output.classes) else None
        regions = self._regions(labels, background) if options.rows.polygons else None
        return Answer(regions, classes, mask=labels, legend=Legend(background))

    def _regions(self, labels: NDArray[np.uint8], background: int | None) -> Detections:
        """Return the regions with their outlines; a region's score is its share of the picture."""
        found = outlines(labels, background=background)
        corners = [[*one.polygon.min(0), *one.polygon.max(0)] for one in found]
        last = max((one.class_id for one in found), default=-1)
        return Detections(
            np.array(corners, np.float32).reshape(-1, 4),
            np.array([one.area / labels.size for one in found], np.float32),
            np.array([one.class_id for one in found], np.int32),
            labels=tuple(label_of(self._labels, number) for number in range(last + 1)),
            polygons=tuple(one.polygon for one in found),
        )

    def _has_background(self, classes: int | None) -> bool:
        """Return whether class 0 is background: by its name, or because there is only one other."""
        if self._labels:
            return is_background(self._labels[_BACKGROUND])
        return classes == _TWO
