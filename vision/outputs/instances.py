"""Reads the outputs of instance segmentation graphs as detections with masks.

Source: PaddleDetection, `ppdet/modeling/post_process.py`, `heads/solov2_head.py` and
`deploy/python/infer.py`, which reads them.

Mask R-CNN (and a DETR with masks) adds a third output to a detector's two: integers [sum N, H, W],
1 where the object is, in pixels of the source image; H and W are those of the largest source in the
batch, and pixels outside a smaller one are -1. An image without objects has one row of score 0.

SOLOv2 takes one image and outputs masks [N, H, W] of the source's size, their number, their classes
[N] and scores [N]; exports by Paddle 3 output the masks last. The last object is always a dummy of
score 0 (or NaN, if its mask is empty).
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from core.errors import FatalError
from predictions.detections import Detections
from vision.ops.resize import Size
from vision.outputs.postprocess import rows_above, split_rows
from vision.rle import box_around, placed, runs_of

_STACK = 3  # dimensions of masks


class Instances(NamedTuple):
    """One image's rows (class, score, x1, y1, x2, y2), each with a map on a canvas [H,W].

    `size` (h, w) is the image's part of the canvas; object pixels are 1.
    """

    rows: NDArray[np.float32]
    masks: NDArray[Any]
    size: Size


def split_instances(
    outputs: Sequence[NDArray[Any]], sizes: Sequence[Size], batch_size: int
) -> list[Instances]:
    """Return each image's rows and masks from a detector with masks as its third output.

    `sizes` are those of the source images, without the batch's padding.

    Raises:
        FatalError: These are not the outputs of such a model.
    """
    rows = split_rows(outputs[:2], batch_size)
    masks = outputs[2] if len(outputs) > 2 else np.empty(0)  # noqa: PLR2004
    ends = np.cumsum([len(part) for part in rows])
    # If there are no rows, there may be a dummy mask.
    if masks.ndim != _STACK or (ends[-1] and len(masks) != ends[-1]):
        raise FatalError(
            f"expected a mask [H,W] for each of {ends[-1]} rows; "
            f"the model gave {masks.dtype} {masks.shape}"
        )
    parts = np.split(masks[: ends[-1]], ends[:-1])
    return [Instances(*one) for one in zip(rows, parts, sizes, strict=False)]


def split_segments(outputs: Sequence[NDArray[Any]], size: Size) -> Instances:
    """Return the rows and masks of the one image, of `size` (h, w), that SOLOv2 was given.

    Empty masks are left out: they are not objects, whatever their score. The rows have no boxes
    yet, see `boxed_by_masks`.

    Raises:
        FatalError: These are not the outputs of such a model.
    """
    stacks = [place for place, output in enumerate(outputs) if output.ndim == _STACK]
    if len(outputs) < 4 or len(stacks) != 1:  # noqa: PLR2004
        given = ", ".join(f"{output.dtype} {output.shape}" for output in outputs)
        raise FatalError(f"expected masks [N,H,W], a count, classes and scores; got {given}")
    masks = outputs[stacks[0]]
    _, classes, scores, *_ = (*outputs[: stacks[0]], *outputs[stacks[0] + 1 :])
    if not len(masks) == classes.size == scores.size:
        raise FatalError(
            f"the model gave {classes.size} classes and {scores.size} scores for {len(masks)} masks"
        )
    drawn = np.flatnonzero([mask.any() for mask in masks])
    rows = np.zeros((len(drawn), 6), np.float32)
    rows[:, 0], rows[:, 1] = classes.ravel()[drawn], scores.ravel()[drawn]
    return Instances(rows, masks[drawn], size)


def read_instances(found: Instances, *, threshold: float) -> Detections:
    """Return the detections above `threshold`, best first, each with its mask.

    Raises:
        BadInputError: `model_output_invalid`: as `vision.outputs.postprocess.rows_above`.
    """
    kept = rows_above(found.rows, threshold)
    height, width = found.size
    masks = tuple(
        placed(runs_of(found.masks[row, :height, :width] == 1), found.size) for row in kept
    )
    rows = found.rows[kept]
    return Detections(
        xyxy=rows[:, 2:6], scores=rows[:, 1], class_ids=rows[:, 0].astype(np.int32), masks=masks
    ).by_score()


def boxed_by_masks(found: Detections) -> Detections:
    """Return the same objects in the smallest boxes around their pixels."""
    boxes = [box_around(mask) for mask in found.masks or ()]
    return replace(found, xyxy=np.array(boxes, np.float32).reshape(-1, 4))
