"""Keypoint models: top-down ones look at one person, bottom-up ones at a whole picture."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from core.errors import FatalError
from core.options import JobOptions
from predictions.answer import Answer
from vision.exports.exported import ExportedModel
from vision.ops.keypoint import EvalAffine, TopDownEvalAffine
from vision.ops.preprocess import Prepared, Preprocessor
from vision.outputs.heatmaps import read_heatmaps
from vision.outputs.tag_grouping import group_by_tags
from vision.people import people_around
from vision.rectangle import Rectangle

_HEATMAPS = 4  # dimensions: [B,K,h,w]


class TopDown:
    """HRNet and TinyPose, which find the points of the one person in a crop. See `Network`."""

    def __init__(self, export: ExportedModel) -> None:
        first = export.ops[0]
        assert isinstance(first, TopDownEvalAffine)
        self._affine = first
        self.prepare = Preprocessor(export.ops)

    @staticmethod
    def split(
        outputs: Sequence[NDArray[Any]], batch: Sequence[Prepared], size: int
    ) -> list[NDArray[Any]]:
        """Return the heatmaps (K, h, w) of each crop."""
        found = outputs[0] if outputs else np.empty(0)
        if found.ndim != _HEATMAPS or len(found) != size:
            raise FatalError(f"expected heatmaps [{size},K,h,w]; the model gave {found.shape}")
        return list(found[: len(batch)])

    def keypoints(
        self, heatmaps: Sequence[NDArray[Any]], crops: Sequence[Rectangle]
    ) -> NDArray[np.float32]:
        """Return x, y in pixels of the source and the score of each crop's points, (N, K, 3).

        Raises:
            BadInputError: `model_output_invalid`: a heatmap holds NaN or infinity.
        """
        maps = np.stack(heatmaps)
        points = read_heatmaps(maps)
        size = (maps.shape[2], maps.shape[3])
        points[..., :2] = self._affine.restored(points[..., :2], size, np.array(crops, np.intp))
        return points.astype(np.float32)


class BottomUp:
    """HigherHRNet, which finds everybody's points in a picture. See `ReadableNetwork`."""

    def __init__(self, export: ExportedModel) -> None:
        self._labels = export.labels
        self.prepare = Preprocessor(export.ops)

    @staticmethod
    def split(
        outputs: Sequence[NDArray[Any]], batch: Sequence[Prepared], size: int
    ) -> list[Sequence[NDArray[Any]]]:
        """Return all outputs, as a batch holds one image."""
        if size != 1:
            raise FatalError(f"this model takes one image at a time, not {size}")
        return [outputs for _ in batch]

    def read(
        self, output: Sequence[NDArray[Any]], size_wh: tuple[int, int], options: JobOptions
    ) -> Answer:
        """Return the people whose points score more than the threshold on average.

        Raises:
            BadInputError: `model_output_invalid`: the outputs hold NaN or infinity.
            FatalError: these are not the outputs of such a model.
        """
        points, scores = group_by_tags(output)
        canvas = (output[0].shape[2], output[0].shape[3])
        size = (size_wh[1], size_wh[0])
        points[..., :2] = EvalAffine.restored(points[..., :2], canvas, size)
        kept = scores > (options.rows.threshold or 0.0)
        best = np.argsort(-scores[kept], kind="stable")
        people = people_around(points[kept][best], scores[kept][best], self._labels)
        return Answer(detections=people)
