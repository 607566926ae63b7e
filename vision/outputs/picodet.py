"""Decodes the raw outputs of a PicoDet that was exported without post-processing.

Source: PaddleDetection, `deploy/python/picodet_postprocess.py` and `heads/pico_head.py`. For each
stride of `fpn_stride` the graph outputs scores [B, cells, classes], already after the sigmoid;
after all of these, for each stride, distributions [B, cells, 4 * bins], before the softmax: how
likely each edge (left, top, right, bottom) is 0, 1, 2 ... strides away from the cell's centre.
Cells are in row order.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from core.errors import BadInputError, FatalError, UsageError
from vision.ops.resize import Size

Maps = list[tuple[NDArray[np.float32], NDArray[np.float32]]]
"""Scores and distributions, by stride."""

_CANDIDATES = 200  # the best of a class, which take part in NMS
_EPSILON = 1e-5
_DIMENSIONS = 3


@dataclass(frozen=True, slots=True)
class PicoDecoder:
    """The decoding parameters, with the names and defaults of the official tool.

    `nms_top_k` cells of each map and `keep_top_k` boxes of each class are kept; 0 or less keeps
    all.
    """

    strides: tuple[int, ...]
    score_threshold: float = 0.4
    nms_threshold: float = 0.5
    nms_top_k: int = 1000
    keep_top_k: int = 100

    @classmethod
    def of(cls, config: Mapping[str, Any]) -> Self:
        """Read the `fpn_stride` and `NMS` of an `infer_cfg.yml`.

        The official tool takes only `nms_threshold` from the latter, and uses defaults for the
        rest.

        Raises:
            UsageError: Either is missing or makes no sense.
        """
        strides, nms = config.get("fpn_stride"), config.get("NMS")
        if not isinstance(strides, list) or not isinstance(nms, Mapping):
            raise UsageError("a PicoDet without post-processing needs fpn_stride and NMS")
        try:
            steps = tuple(map(int, strides))
            told: dict[str, Any] = {
                name: kind(nms[name])
                for name, kind in (
                    ("score_threshold", float),
                    ("nms_threshold", float),
                    ("nms_top_k", int),
                    ("keep_top_k", int),
                )
                if name in nms
            }
        except (TypeError, ValueError) as error:
            raise UsageError(f"fpn_stride or NMS cannot be read: {error}") from error
        if not steps or min(steps) < 1:
            raise UsageError(f"fpn_stride must be positive numbers, not {strides!r}")
        return cls(steps, **told)

    def maps(self, outputs: Sequence[NDArray[Any]], images: int, input_size: Size) -> Maps:
        """Return the scores and distributions by stride of `images` images of `input_size` (h, w).

        Raises:
            FatalError: These are not the outputs of such a model.
        """
        count = len(self.strides)
        pairs = list(zip(outputs[:count], outputs[count:], strict=False))
        cells = [-(-input_size[0] // step) * -(-input_size[1] // step) for step in self.strides]
        fits = len(outputs) == 2 * count and all(
            scores.ndim == spread.ndim == _DIMENSIONS
            and scores.shape[:2] == spread.shape[:2] == (images, size)
            and spread.shape[2] % 4 == 0
            for (scores, spread), size in zip(pairs, cells, strict=True)
        )
        if not fits:
            shapes = ", ".join(str(output.shape) for output in outputs)
            raise FatalError(
                f"expected {count} maps of scores and {count} of distances for {images} images, of "
                f"{', '.join(map(str, cells))} cells; the model gave {shapes}"
            )
        return pairs

    def rows(
        self,
        maps: Maps,
        input_size: Size,
        im_shape: NDArray[np.float32],
        scale_factor: NDArray[np.float32],
    ) -> NDArray[np.float32]:
        """Return one image's rows (N, 6): class, score, x1, y1, x2, y2 in source pixels.

        `maps` are its scores [cells, classes] and distributions [cells, 4 * bins] by stride. Boxes
        are clipped to the scaled image, whose size without padding is `im_shape`.

        Raises:
            BadInputError: `model_output_invalid`: a map holds NaN or infinity.
        """
        if not all(np.isfinite(map_).all() for pair in maps for map_ in pair):
            raise BadInputError("model_output_invalid", "the model's maps hold NaN or infinity")
        parts = [
            self._decoded(scores, spread, step, -(-input_size[1] // step))
            for (scores, spread), step in zip(maps, self.strides, strict=True)
        ]
        scores = np.concatenate([part[0] for part in parts])
        boxes = np.concatenate([part[1] for part in parts])
        found = [np.empty((0, 6))]
        for class_id in np.flatnonzero((scores > self.score_threshold).any(axis=0)):
            above = scores[:, class_id] > self.score_threshold
            kept, sure = self._suppressed(boxes[above], scores[above, class_id])
            found.append(np.column_stack([np.full(len(sure), class_id), sure, kept]))
        rows = np.concatenate(found)
        height, width = im_shape.tolist()
        rows[:, 2:] = rows[:, 2:].clip(0, [width, height, width, height])
        rows[:, 2:] /= np.tile(scale_factor[::-1], 2)
        return rows.astype(np.float32)

    def _decoded(
        self, scores: NDArray[np.float32], spread: NDArray[np.float32], step: int, columns: int
    ) -> tuple[NDArray[np.float32], NDArray[np.float64]]:
        """Return the scores and boxes of one map's best cells, in pixels of the graph's input."""
        best = np.argsort(scores.max(axis=1))[::-1]
        if self.nms_top_k > 0:
            best = best[: self.nms_top_k]
        bins = spread.shape[1] // 4
        likely = spread[best].reshape(-1, 4, bins)
        likely = np.exp(likely - likely.max(axis=2, keepdims=True))
        likely /= likely.sum(axis=2, keepdims=True)
        away = (likely * np.arange(bins)).sum(axis=2) * step
        row, column = np.divmod(best, columns)
        x, y = (column + 0.5) * step, (row + 0.5) * step
        return scores[best], np.stack([x, y, x, y], axis=1) + away * [-1, -1, 1, 1]

    def _suppressed(
        self, boxes: NDArray[np.float64], scores: NDArray[np.float32]
    ) -> tuple[NDArray[np.float64], NDArray[np.float32]]:
        """Return one class's boxes and scores, best first, less those that overlap a better one."""
        order = np.argsort(scores)[::-1][:_CANDIDATES]
        boxes, scores = boxes[order], scores[order]
        sides = np.minimum(boxes[:, None, 2:], boxes[:, 2:])
        sides = np.maximum(sides - np.maximum(boxes[:, None, :2], boxes[:, :2]), 0)
        shared = sides.prod(axis=2)
        areas = np.maximum(boxes[:, 2:] - boxes[:, :2], 0).prod(axis=1)
        overlap = shared / (areas[:, None] + areas - shared + _EPSILON)
        free = np.ones(len(boxes), np.bool_)
        for row in range(len(boxes)):
            if free[row]:
                free[row + 1 :] &= overlap[row, row + 1 :] <= self.nms_threshold
        kept = np.flatnonzero(free)
        if self.keep_top_k > 0:
            kept = kept[: self.keep_top_k]
        return boxes[kept], scores[kept]
